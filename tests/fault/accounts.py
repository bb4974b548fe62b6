"""The two accounts in moto, the people in them, and both apps with their settings: made once, emptied for each run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import mock

import boto3
from botocore.exceptions import ClientError
from botocore.retries.adaptive import ClientRateLimiter
from botocore.retries.quota import RetryQuota
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends

from central.chalicelib.requests.items import record_from_item
from central.chalicelib.requests.record import Record
from member.chalicelib.ec2.forms import permissions, rule_from_api, rule_request
from member.chalicelib.state.baseline import Baseline
from member.chalicelib.state.items import LedgerEntry, baseline_from_item, entry_from_item
from sandbox.aws import resources
from sandbox.aws.identities import Credentials, Identities
from sandbox.aws.repairs import repaired
from shared.aws import clients
from shared.aws.attributes import from_attributes
from shared.domain.rule import Rule
from tests.fault.clock import Clock
from tests.support import permissions as grants
from tests.support.slack_stand_in import APPROVAL, MONITORING, SlackStandIn

CENTRAL = "111111111111"
MEMBER = "222222222222"
REGION = "eu-west-1"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"

POLICY = """
mode = "enforce"
drift_grace_minutes = 15
gather_seconds = 0

[exempt]
principals = ["arn:aws:iam::*:role/ci-deploy"]
"""
"""The policy of most runs: everybody may decide, and the role ``ci-deploy`` is exempt."""

Facts = frozenset[tuple[str, str, tuple[tuple[str, str], ...]]]
"""What must be exact about a group's inbound rules: identity, description, tags."""


def facts(rules: Iterable[Rule]) -> Facts:
    """Return everything of the inbound rules but their ids."""
    return frozenset((one.identity, one.description, one.tags) for one in rules if one.direction == "ingress")


class Somebody:
    """A person or a pipeline of the member account, who changes groups by real calls."""

    def __init__(self, session: boto3.Session, credentials: Credentials) -> None:
        self.arn = credentials.arn
        self.ec2: Any = _client(session, "ec2", credentials)

    def opens(self, group_id: str, *rules: Rule, tags: Mapping[str, str] | None = None) -> None:
        """Authorize rules in one call; tags are put on all of them."""
        listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        tagged = {"TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": listed}]} if listed else {}
        self.ec2.authorize_security_group_ingress(
            GroupId=group_id, IpPermissions=permissions(rules, with_descriptions=True), **tagged
        )

    def asks_for(self, group_id: str, *rules: Rule) -> None:
        """Authorize rules in a dry run, which changes nothing."""
        with contextlib.suppress(ClientError):  # EC2 answers DryRunOperation, always
            self.ec2.authorize_security_group_ingress(
                GroupId=group_id, IpPermissions=permissions(rules, with_descriptions=True), DryRun=True
            )

    def closes(self, group_id: str, *rules: Rule) -> None:
        """Revoke live rules in one call, by id, as the console does."""
        ids = [one.rule_id for one in _chosen(self.live(group_id), rules)]
        self.ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=ids)

    def closes_by_values(self, group_id: str, *rules: Rule) -> None:
        """Revoke live rules in one call, by permission."""
        self.ec2.revoke_security_group_ingress(
            GroupId=group_id, IpPermissions=permissions(rules, with_descriptions=False)
        )

    def edits(self, group_id: str, before: Rule, after: Rule, *others: tuple[Rule, Rule]) -> None:
        """Modify live rules in place in one call, as the console does."""
        live = {one.identity: one.rule_id for one in self.live(group_id)}
        updates = [
            {"SecurityGroupRuleId": live[was.identity], "SecurityGroupRule": rule_request(becomes)}
            for was, becomes in ((before, after), *others)
        ]
        self.ec2.modify_security_group_rules(GroupId=group_id, SecurityGroupRules=updates)

    def describes(self, group_id: str, *rules: Rule) -> None:
        """Give live rules the descriptions of these."""
        self.ec2.update_security_group_rule_descriptions_ingress(
            GroupId=group_id, IpPermissions=permissions(rules, with_descriptions=True)
        )

    def live(self, group_id: str) -> tuple[Rule, ...]:
        """Return a group's inbound rules."""
        wanted = [{"Name": "group-id", "Values": [group_id]}]
        found = self.ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
        return tuple(rule for one in found if (rule := rule_from_api(one, MEMBER)).direction == "ingress")


def _chosen(live: Iterable[Rule], rules: Iterable[Rule]) -> list[Rule]:
    by_identity = {one.identity: one for one in live}
    return [by_identity[one.identity] for one in rules]


class Accounts:
    """Both accounts; open them with :meth:`opened`."""

    def __init__(self, slack: SlackStandIn, folder: Path) -> None:
        import central.app
        import member.app

        for app in ("central", "member"):
            grants.watch(app)

        self.slack = slack
        self.clock = Clock()
        self.identities = Identities()
        self.central_app: Any = central.app.app
        self.member_app: Any = member.app.app
        self._folder = folder
        self._policy_file = folder
        self._quotas = _Quotas()
        self._roles: dict[str, Credentials] = {}
        operators = {one: self.identities.root(one) for one in (CENTRAL, MEMBER)}
        session = boto3.Session()  # one for all: each would read botocore's models anew
        self._tables = {one: _client(session, "dynamodb", operators[one]) for one in operators}
        self._topics = {one: _client(session, "sns", operators[one]) for one in operators}
        self.ada = Somebody(session, self.identities.user(MEMBER, "ada"))
        self.grace = Somebody(session, self.identities.sso_session(MEMBER, "Admin", "grace@example.com"))
        self.pipeline = Somebody(session, self.identities.session(MEMBER, "ci-deploy", "build-7"))
        self.vpc_id = self.ada.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self._groups = {vpc: dict(some) for vpc, some in ec2_backends[MEMBER][REGION].groups.items()}
        for name in ("securityGroupChange", "denySecurityGroupChange", "errorHandlerSecurityGroupChange"):
            resources.create_topic(self._topics[CENTRAL], name)
        resources.create_topic(self._topics[MEMBER], "applySecurityGroupChange")

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """Open the accounts, with the apps' waiting done by their own clock."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(mock.patch.dict(os.environ))
            for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "expectedToken", "modeOverride"):
                os.environ.pop(name, None)
            stack.enter_context(mock_aws())
            stack.enter_context(repaired())
            clients.forget()
            stack.callback(clients.forget)
            accounts = cls(stack.enter_context(SlackStandIn()), folder)
            stack.enter_context(accounts.clock.ticking())
            stack.enter_context(accounts._quotas.noted())
            yield accounts

    def reset(self, policy: str) -> None:
        """Make everything as new; identities and topics stay.

        Args:
            policy: the policy file's text.
        """
        self._policy_file = self._folder / f"{hashlib.sha256(policy.encode()).hexdigest()[:16]}.toml"
        self._policy_file.write_text(policy, encoding="utf-8")
        self.clock.passed = 0.0
        self.slack.forget()
        self._quotas.refill()
        groups = ec2_backends[MEMBER][REGION].groups
        groups.clear()
        groups.update({vpc: dict(some) for vpc, some in self._groups.items()})
        for account in (CENTRAL, MEMBER):
            dynamodb_backends[account][REGION].tables.clear()
        resources.create_requests_table(self._tables[CENTRAL])
        resources.create_state_table(self._tables[MEMBER])

    def environment(self, app: str, function: str) -> dict[str, str]:
        """Return the environment variables of a function, its role's credentials included."""
        name = f"{app}-dev-{function}"
        account = MEMBER if app == "member" else CENTRAL
        role = self._roles.get(name)
        if role is None:
            role = self._roles[name] = self.identities.session(account, name, name)
        return {
            "AWS_ACCESS_KEY_ID": role.access_key_id,
            "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
            "AWS_SESSION_TOKEN": role.session_token,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "policyFile": str(self._policy_file),
            "centralAccountId": CENTRAL,
            "centralRegion": REGION,
            "accountName": "payments",
            "slackChannel": "secgroup_approve",
            "approvalHookUrl": self.slack.url(APPROVAL),
            "monitoringHookUrl": self.slack.url(MONITORING),
            "slackSigningSecret": SECRET,
        }

    # -- looking -------------------------------------------------------------------------------------------------------

    def new_group(self, somebody: Somebody | None = None, name: str = "web") -> str:
        """Make a group and return its id."""
        ec2 = (somebody or self.pipeline).ec2
        made: str = ec2.create_security_group(GroupName=name, Description="x", VpcId=self.vpc_id)["GroupId"]
        return made

    def records(self) -> list[Record]:
        """Return every stored request, oldest first."""
        return [record for record in self._stored() if record.request.origin != "notice"]

    def notices(self) -> list[Record]:
        """Return every stored notice, oldest first."""
        return [record for record in self._stored() if record.request.origin == "notice"]

    def _stored(self) -> list[Record]:
        items = [from_attributes(item) for item in _items(CENTRAL, resources.REQUESTS_TABLE)]
        records = [record_from_item(item) for item in items if "body" in item]
        return sorted(records, key=lambda record: (record.requested_at, record.request.request_id))

    def state(self) -> tuple[dict[str, Baseline], dict[str, LedgerEntry]]:
        """Return the member's baselines by group, and its ledger by request id."""
        read = [from_attributes(item) for item in _items(MEMBER, resources.STATE_TABLE)]
        baselines = [baseline_from_item(one) for one in read if one["id"].startswith("group#")]
        entries = [entry_from_item(one) for one in read if one["id"].startswith("request#")]
        return {one.group_id: one for one in baselines}, {one.request.request_id: one for one in entries}

    def scanned(self) -> str:
        """Return everything in both tables as text, to compare."""
        tables = ((CENTRAL, resources.REQUESTS_TABLE), (MEMBER, resources.STATE_TABLE))
        found = [_items(account, name) for account, name in tables]
        return json.dumps(found, sort_keys=True, default=repr)


def _items(account: str, table: str) -> list[dict[str, Any]]:
    """Return a table's items from where moto keeps them: the tests read much, and a scan takes twenty times as long."""
    return [item.to_json()["Attributes"] for item in dynamodb_backends[account][REGION].get_table(table).all_items()]


class _Quotas:
    """botocore's retry quotas and rate limits: else faults of one run would stop or delay retries in the next one."""

    def __init__(self) -> None:
        self._quotas: list[Any] = []
        self._limiters: list[Any] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        with _noted(RetryQuota, self._quotas), _noted(ClientRateLimiter, self._limiters):
            yield

    def refill(self) -> None:
        for quota in self._quotas:
            quota._available_capacity = quota._max_capacity
        for limiter in self._limiters:
            limiter._enabled = False
            limiter._token_bucket._last_timestamp = None
            limiter._token_bucket._current_capacity = 0


@contextmanager
def _noted(kind: type[Any], made: list[Any]) -> Iterator[None]:
    original = kind.__init__

    def noting(one: Any, *args: Any, **kwargs: Any) -> None:
        original(one, *args, **kwargs)
        made.append(one)

    with mock.patch.object(kind, "__init__", noting):
        yield


def _client(session: boto3.Session, service: str, credentials: Credentials) -> Any:
    return session.client(
        service,  # type: ignore[call-overload]  # any service
        region_name=REGION,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token or None,
    )
