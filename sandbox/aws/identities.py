"""Users, role sessions and roots of the sandbox's accounts, and the identity of an access key.

moto keeps users, roles and sessions per account and finds the account of a call by its access key. It checks no
signature and no policy.
"""

from dataclasses import dataclass
from datetime import UTC

from moto.iam.models import AccessKey, iam_backends
from moto.sts.models import sts_backends

from sandbox.aws.request import Caller

PARTITION = "aws"
#: Where IAM Identity Center keeps the roles that people get.
#: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
SSO_PATH = "/aws-reserved/sso.amazonaws.com/"
ANYBODY_MAY_ASSUME = '{"Version": "2012-10-17", "Statement": []}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What signs a call, and the ARN of the identity that it proves."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    """Empty for an IAM user's or a root's long-term key."""
    account: str
    arn: str


class Identities:
    """Makes identities, and finds them by access key."""

    def __init__(self) -> None:
        self._roots: dict[str, str] = {}

    def user(self, account: str, name: str) -> Credentials:
        """Make an IAM user with an access key."""
        iam = iam_backends[account][PARTITION]
        user = iam.create_user("aws-global", name)
        # The form of a user's id in AWS; moto makes up something else.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        user.id = f"AIDA{user.id.upper():.17}"
        key = iam.create_access_key(name)
        return _credentials(key, account, user.arn)

    def root(self, account: str) -> Credentials:
        """Make an access key of the account's root."""
        key = AccessKey(None, "AKIA", account)  # type: ignore[abstract]  # moto makes them so itself
        iam_backends[account][PARTITION].access_keys[key.access_key_id] = key
        self._roots[key.access_key_id] = account
        return _credentials(key, account, f"arn:{PARTITION}:iam::{account}:root")

    def session(self, account: str, role: str, name: str, *, path: str = "/") -> Credentials:
        """Make a session of a role, and the role if it is not there yet."""
        iam = iam_backends[account][PARTITION]
        known = {existing.name: existing for existing in iam.get_roles()}
        found = known.get(role) or iam.create_role(role, ANYBODY_MAY_ASSUME, path, None, "", [], "3600")
        session = sts_backends[account][PARTITION].assume_role("us-east-1", name, found.arn, "", 3600, "")
        return Credentials(
            access_key_id=session.access_key_id,
            secret_access_key=session.secret_access_key,
            session_token=session.session_token,
            account=account,
            arn=session.arn,
        )

    def sso_session(self, account: str, permission_set: str, person: str) -> Credentials:
        """Make a session as IAM Identity Center does: role ``AWSReservedSSO_<set>_<hash>``, the person as name."""
        return self.session(account, f"AWSReservedSSO_{permission_set}_0123456789abcdef", person, path=SSO_PATH)

    def caller(self, access_key_id: str) -> Caller | None:
        """Return the identity behind an access key, ``None`` for a key that no account knows."""
        if access_key_id in self._roots:
            return _root(self._roots[access_key_id], access_key_id)
        for account, partitions in list(iam_backends.items()):
            iam = partitions[PARTITION]
            key = iam.access_keys.get(access_key_id)
            if key is None:
                continue
            if key.user_name:
                user = iam.get_user(key.user_name)
                return Caller(
                    kind="IAMUser",
                    account=account,
                    arn=user.arn,
                    principal_id=user.id,
                    access_key_id=access_key_id,
                    name=user.name,
                )
            return _assumed_role(account, access_key_id)
        return None


def _credentials(key: AccessKey, account: str, arn: str) -> Credentials:
    return Credentials(
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
        session_token="",
        account=account,
        arn=arn,
    )


def _root(account: str, access_key_id: str) -> Caller:
    return Caller(
        kind="Root",
        account=account,
        arn=f"arn:{PARTITION}:iam::{account}:root",
        principal_id=account,
        access_key_id=access_key_id,
        name="",
    )


def _assumed_role(account: str, access_key_id: str) -> Caller | None:
    session = sts_backends[account][PARTITION].get_assumed_role_from_access_key(access_key_id)
    if session is None:
        return None
    principal_id = session.user_id
    return Caller(
        kind="AssumedRole",
        account=account,
        arn=session.arn,
        principal_id=principal_id,
        access_key_id=access_key_id,
        name=session.role_arn.rpartition("/")[2],
        role_arn=session.role_arn,
        role_id=principal_id.partition(":")[0],
        since=session.access_key.create_date.replace(tzinfo=UTC),
    )
