"""Reads ``userIdentity`` of a CloudTrail record: the identity that policy judges, and a name that people recognise.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import re
from typing import Final

from shared.domain.caller import Caller
from shared.wire.fields import Field

from .forms import soft_mapping, soft_text

_IAM_ARN: Final = re.compile(r"arn:[^:]+:iam:")


def read_caller(identity: Field) -> Caller:
    """Read ``userIdentity``; every type is taken, because an unknown type is somebody's unapproved change too.

    Nothing in it raises: what has an unexpected form counts as missing, and nobody is exempt by that.
    """
    known = soft_mapping(identity)
    kind = soft_text(known["type"]) or "unknown"
    arn = soft_text(known["arn"])
    issuer = soft_mapping(soft_mapping(known["sessionContext"])["sessionIssuer"])
    return Caller(
        type=kind,
        account=soft_text(known["accountId"]),
        arn=arn,
        # Of a session without its role only the session's ARN is known, and its last part is the caller's choice.
        principal_arn=soft_text(issuer["arn"]) or (arn if _IAM_ARN.match(arn) else ""),
        name=_name(known, kind, arn, issuer),
        invoked_by=soft_text(known["invokedBy"]),
    )


def _name(identity: Field, kind: str, arn: str, issuer: Field) -> str:
    session = arn.rsplit("/", 1)[-1] if "/" in arn else ""
    principal = soft_text(identity["principalId"])
    if not session and ":" in principal:
        session = principal.split(":", 1)[1]
    role = soft_text(issuer["userName"]) or soft_text(issuer["arn"]).rsplit("/", 1)[-1]
    if role and kind != "IAMUser":
        return f"{session or principal or kind} ({role})"
    account = soft_text(identity["accountId"]) or "unknown"
    if kind == "Root":
        return f"root of account {account}"
    if kind == "AWSAccount":
        return f"account {account}"
    on_behalf = soft_text(soft_mapping(identity["onBehalfOf"])["userId"])
    return (
        soft_text(identity["userName"]) or session or on_behalf or principal or soft_text(identity["invokedBy"]) or kind
    )
