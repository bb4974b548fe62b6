"""Reads ``userIdentity`` of a CloudTrail record: the identity that policy judges, and a name that people recognise.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import re
from typing import Final

from shared.domain.caller import Caller
from shared.wire.fields import Field

_IAM_ARN: Final = re.compile(r"arn:[^:]+:iam:")


def read_caller(identity: Field) -> Caller:
    """Read ``userIdentity``; every type is taken, because an unknown type is somebody's unapproved change too.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    kind = identity["type"].optional_text() or "unknown"
    arn = identity["arn"].optional_text()
    issuer = identity["sessionContext"]["sessionIssuer"]
    issuer_arn = issuer["arn"].optional_text()
    return Caller(
        type=kind,
        account=identity["accountId"].optional_text(),
        arn=arn,
        # Of a session without its role only the session's ARN is known, and its last part is the caller's choice.
        principal_arn=issuer_arn or (arn if _IAM_ARN.match(arn) else ""),
        name=_name(identity, kind, arn, issuer),
        invoked_by=identity["invokedBy"].optional_text(),
    )


def _name(identity: Field, kind: str, arn: str, issuer: Field) -> str:
    session = arn.rsplit("/", 1)[-1] if "/" in arn else ""
    principal = identity["principalId"].optional_text()
    if not session and ":" in principal:
        session = principal.split(":", 1)[1]
    user_name = identity["userName"].optional_text()
    role = issuer["userName"].optional_text() or issuer["arn"].optional_text().rsplit("/", 1)[-1]
    if role and kind != "IAMUser":
        return f"{session or principal or kind} ({role})"
    if kind == "Root":
        return f"root of account {identity['accountId'].optional_text() or 'unknown'}"
    if kind == "AWSAccount":
        return f"account {identity['accountId'].optional_text() or 'unknown'}"
    on_behalf = identity["onBehalfOf"]["userId"].optional_text()
    return user_name or session or on_behalf or principal or identity["invokedBy"].optional_text() or kind
