"""Access to the sandbox's AWS accounts: identities, clients, tables and groups.

Everything goes through the endpoint, like everybody else's calls. What the sandbox itself reads is read under its own
role and stays off the timeline.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

from sandbox.aws import resources
from sandbox.aws.ask_only import ASKER
from sandbox.aws.identities import Credentials, Identities
from sandbox.deliveries import OPERATOR_ROLE
from sandbox.errors import SandboxError
from sandbox.settings import EXEMPT_ROLE, MemberAccount, SandboxSettings


class AwsAccess:
    """The accounts of one sandbox, from outside."""

    def __init__(self, settings: SandboxSettings, identities: Identities, url: Callable[[], str]) -> None:
        """Use the endpoint at an address that is known once it runs."""
        self._settings = settings
        self._identities = identities
        self._url = url
        self._credentials: dict[tuple[str, str], Credentials] = {}
        self._session = boto3.Session()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.RLock()

    def credentials(self, account: str, who: str = "user") -> Credentials:
        """Return the credentials of one of the account's identities, the same ones each time.

        Args:
            account: 12-digit account.
            who: ``user`` (IAM user alice), ``sso`` (ada@example.com by IAM Identity Center), ``ci`` (the role that
                the policy exempts), ``asker`` (IAM user linus, whose calls AWS refuses, so that they ask), ``root``,
                ``operator`` (the sandbox itself).
        """
        key = (account, who)
        with self._lock:
            if key not in self._credentials:
                self._credentials[key] = self._new_identity(account, who)
            return self._credentials[key]

    def _new_identity(self, account: str, who: str) -> Credentials:
        if who == "user":
            return self._identities.user(account, "alice")
        if who == "asker":
            return self._identities.user(account, ASKER)
        if who == "sso":
            return self._identities.sso_session(account, "PowerUserAccess", "ada@example.com")
        if who == "ci":
            return self._identities.session(account, EXEMPT_ROLE, "pipeline")
        if who == "root":
            return self._identities.root(account)
        if who == "operator":
            return self._identities.session(account, OPERATOR_ROLE, "sandbox")
        raise SandboxError(f"There is no identity {who!r}: user, sso, ci, asker and root are known.")

    def client(self, service: str, credentials: Credentials, region: str) -> Any:
        """Return a boto3 client that calls the endpoint as an identity; the same one for the same question.

        Making a client takes much longer than a call, and only using one is safe from several threads.
        """
        key = (service, credentials.access_key_id, region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(service, credentials, region)
            return self._clients[key]

    def _new_client(self, service: str, credentials: Credentials, region: str) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]  # any service
            region_name=region,
            endpoint_url=self._url(),
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token or None,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def ec2(self, member: MemberAccount, *, who: str = "user", region: str | None = None) -> Any:
        """Return an EC2 client of somebody in a member account; by default in the first region."""
        return self.client("ec2", self.credentials(member.id, who), region or self._settings.regions[0])

    def operator(self, service: str, account: str, region: str) -> Any:
        """Return a client under the sandbox's own role."""
        return self.client(service, self.credentials(account, "operator"), region)

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests in central's table, oldest first, without what central keeps there for itself."""
        settings = self._settings
        client = self.operator("dynamodb", settings.central_account, settings.central_region)
        items = [_plain(item) for item in _scan(client, resources.REQUESTS_TABLE)]
        requests = [item for item in items if resources.is_of_request(item["requestId"])]
        return sorted(requests, key=lambda item: str(item.get("requestedAt", "")))

    def request(self, request_id: str) -> dict[str, Any] | None:
        """Return one request of central's table."""
        return next((item for item in self.requests() if item["requestId"] == request_id), None)

    def state(self, member: MemberAccount, *, region: str | None = None) -> list[dict[str, Any]]:
        """Return all items of a member's table in a region."""
        client = self.operator("dynamodb", member.id, region or self._settings.regions[0])
        return [_plain(item) for item in _scan(client, resources.STATE_TABLE)]

    def rules(
        self, member: MemberAccount, group: str, *, egress: bool = False, region: str | None = None
    ) -> list[dict[str, Any]]:
        """Return a group's rules of one direction as DescribeSecurityGroupRules has them."""
        client = self.operator("ec2", member.id, region or self._settings.regions[0])
        filters = [{"Name": "group-id", "Values": [group]}]
        rules = client.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        return [rule for rule in rules if rule["IsEgress"] == egress]


def _scan(client: Any, table: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}
