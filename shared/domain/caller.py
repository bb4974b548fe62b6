"""Who made a call, as CloudTrail recorded it: the identity that policy judges and the person behind a role session.

Only ARNs that AWS itself writes decide anything. User agents, ``invokedBy`` and most session names can be chosen by the
caller and are shown to people, never trusted. IAM Identity Center names its sessions itself (:func:`is_person`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Nobody but AWS can create a role below these two paths.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html
# https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
_SERVICE_LINKED_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/aws-service-role/([^/]+)/[^/]+\Z")
_IDENTITY_CENTER_ROLE: Final = re.compile(
    r"arn:aws[a-z-]*:iam::(\d{12}):role/aws-reserved/sso\.[^/]+/(?:[^/]+/)?(AWSReservedSSO_[^/]+)\Z"
)
_ASSUMED_ROLE: Final = re.compile(r"arn:aws[a-z-]*:sts::(\d{12}):assumed-role/([^/]+)/.+\Z")
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:.+/)?([^/]+)\Z")
_USER: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):user/.+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The ``userIdentity`` of a CloudTrail event, reduced to what the product uses.

    Attributes:
        type: CloudTrail's identity type, e.g. ``IAMUser``, ``AssumedRole``, ``Root``.
        account: 12-digit account the credentials belong to; empty when the event does not say.
        arn: ARN of the user or of the session; empty for AWS services.
        principal_arn: what ``exempt.principals`` is matched with: the IAM user's ARN, or the ARN of the role behind a
            session.
        name: the person or session as a human would name it, e.g. ``ada@example.com (AWSReservedSSO_Admin_1a2b)``.
        invoked_by: the AWS service that made the call on the caller's behalf, for display only.
    """

    type: str
    account: str = ""
    arn: str = ""
    principal_arn: str = ""
    name: str
    invoked_by: str = ""


def linked_service(caller: Caller) -> str:
    """Return the AWS service behind a session of a service-linked role, e.g. ``elasticloadbalancing``.

    It is named by the role's path, ``aws-service-role/elasticloadbalancing.amazonaws.com/``: the part before the domain
    of the partition.

    Returns:
        ``""`` for everybody else, and for a service-linked role of another account than the session.
    """
    match = _SERVICE_LINKED_ROLE.match(caller.principal_arn)
    if match is None or caller.type != "AssumedRole" or match[1] != caller.account:
        return ""
    service, separator, _ = match[2].partition(".amazonaws.")
    return service if separator else match[2].partition(".")[0]


def is_person(caller: Caller) -> bool:
    """True when the caller's ARN says which person it is: an IAM user, or a session of IAM Identity Center.

    Whoever assumes any other role chooses the session's name, and may choose somebody else's. Identity Center sets it
    itself, to the user name.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (``RoleSessionName``)
    """
    if caller.type == "IAMUser":
        return _USER.match(caller.arn) is not None
    session = _ASSUMED_ROLE.match(caller.arn)
    role = _IDENTITY_CENTER_ROLE.match(caller.principal_arn)
    return session is not None and role is not None and session.groups() == role.groups()


def is_role_arn(text: str) -> bool:
    """True for the ARN of a role, e.g. ``arn:aws:iam::222222222222:role/member``."""
    return _ROLE.match(text) is not None


def is_session_of(caller: Caller, own_arn: str) -> bool:
    """True when the caller is a session of the very role that ``own_arn`` names.

    Role names are unique within an account whatever their path, so account and role name say which role it is.

    Args:
        caller: who made the call.
        own_arn: a role's, or that of one of its sessions as ``sts:GetCallerIdentity`` answers it, e.g.
            ``arn:aws:sts::222222222222:assumed-role/member/fn``.
    """
    own = _ASSUMED_ROLE.match(own_arn) or _ROLE.match(own_arn)
    session = _ASSUMED_ROLE.match(caller.arn)
    role = _ROLE.match(caller.principal_arn)
    if own is None or session is None or role is None or caller.type != "AssumedRole":
        return False
    return own.groups() == session.groups() == role.groups() and caller.account == own[1]
