"""How CloudTrail writes an EC2 call: identity, record and envelope, parameters and answer. Tests use it as well.

Parameters and answers have two styles, depending on the age of the API action. Older actions are written in camelCase
with ``{"items": […]}`` around lists; newer ones as they travel, in PascalCase below ``<Action>Request``, where one
element is an object, several are a list, and each has a ``tag`` with its position.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from sandbox.aws.request import Caller

EVENT_VERSION = "1.11"

#: Actions written as they travel. The other ones are written in camelCase.
WRAPPED_ACTIONS = frozenset(
    {
        "ModifySecurityGroupRules",
        "UpdateSecurityGroupRuleDescriptionsIngress",
        "UpdateSecurityGroupRuleDescriptionsEgress",
    }
)
#: Fields larger than this are left out of an event.
#: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
LARGEST_FIELD_BYTES = 100 * 1024

_INTEGERS = frozenset({"fromport", "toport"})
_BOOLEANS = frozenset({"dryrun", "isegress", "return"})
_SOURCES = ("groups", "ipRanges", "ipv6Ranges", "prefixListIds")
_RULE_ACTIONS = ("AuthorizeSecurityGroup", "RevokeSecurityGroup")
#: Parameters whose name on the wire differs from CloudTrail's.
_CAMEL_NAMES = {"SecurityGroupRuleId": "securityGroupRuleIds", "TagSpecification": "tagSpecificationSet"}
_PLUMBING = frozenset({"Action", "Version"})


def make_event(
    action: str,
    parameters: Mapping[str, Any] | None,
    answer: Mapping[str, Any] | None,
    *,
    identity: Mapping[str, Any],
    account: str,
    region: str,
    at: datetime,
    request_id: str = "",
    **fields: Any,
) -> dict[str, Any]:
    """Write the event of a call as EventBridge delivers it.

    Args:
        action: the API action.
        parameters: ``requestParameters``.
        answer: ``responseElements``; ``None`` for a call that failed.
        identity: ``userIdentity``, from :func:`user_identity`.
        account: the account whose trail has the record.
        region: where the call was made.
        at: when it was made.
        request_id: ``requestID``; a new one when empty.
        **fields: more fields of the record, or others than usual, e.g. ``errorCode``, ``eventTime``.
    """
    detail: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": identity,
        "eventTime": _seconds(at),
        "eventSource": "ec2.amazonaws.com",
        "eventName": action,
        "awsRegion": region,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.24.0",
        "requestParameters": parameters,
        "responseElements": answer,
        "requestID": request_id or str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        **fields,
    }
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": detail["recipientAccountId"],
        "time": detail["eventTime"],
        "region": detail["awsRegion"],
        "resources": [],
        "detail": detail,
    }


def user_identity(caller: Caller) -> dict[str, Any]:
    """Write an identity; IAM users and keys of the root have no session context.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    identity: dict[str, Any] = {
        "type": caller.kind,
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.kind == "IAMUser":
        identity["userName"] = caller.name
    if caller.kind == "AssumedRole":
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": caller.role_id,
                "arn": caller.role_arn,
                "accountId": caller.account,
                "userName": caller.name,
            },
            "attributes": {
                "creationDate": _seconds(caller.since or datetime.now(UTC)),
                "mfaAuthenticated": "false",
            },
        }
    return identity


def request_parameters(action: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Write the parameters of a call, e.g. ``{"IpPermissions.1.IpProtocol": "tcp", …}``, as CloudTrail does."""
    sent = {name: value for name, value in parameters.items() if name not in _PLUMBING}
    nested = _nest(sent)
    if action in WRAPPED_ACTIONS:
        return _fitting("requestParameters", {f"{action}Request": _pascal(nested)})
    written = {_CAMEL_NAMES.get(name, _lower_first(name)): _camel(name, value) for name, value in nested.items()}
    if action.startswith(_RULE_ACTIONS):
        written.setdefault("ipPermissions", {})
        for permission in written["ipPermissions"].get("items", ()):
            for source in _SOURCES:
                permission.setdefault(source, {})
    return _fitting("requestParameters", written)


def response_elements(action: str, body: bytes) -> dict[str, Any]:
    """Write the XML answer to a successful call as CloudTrail does."""
    root = fromstring(body)  # noqa: S314 - it comes from moto in this process
    if action in WRAPPED_ACTIONS:
        flat = {_local_name(child): _scalar(_local_name(child), child.text or "") for child in root}
        xmlns = root.tag.partition("}")[0].lstrip("{")
        return {f"{action}Response": {"xmlns": xmlns, **flat}}
    written: dict[str, Any] = {}
    for child in root:
        name = _local_name(child)
        written["_return" if name == "return" else name] = _element(child)
    written.setdefault("_return", True)
    return _fitting("responseElements", written)


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fitting(field: str, value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value).encode())
    if size <= LARGEST_FIELD_BYTES:
        return value
    return {"omitted": True, "originalSize": size, "reason": f"{field} too large"}


def _nest(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Turn ``{"A.1.B": "x"}`` into ``{"A": {1: {"B": "x"}}}``: numbered elements have integer keys."""
    nested: dict[Any, Any] = {}
    for name, value in parameters.items():
        *path, last = [int(part) if part.isdigit() else part for part in name.split(".")]
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


def _is_list(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(key, int) for key in value)


def _scalar(name: str, text: str) -> str | int | bool:
    if name.lower() in _BOOLEANS:
        return text.lower() == "true"
    if name.lower() in _INTEGERS:
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _camel(name: str, value: Any) -> Any:
    if _is_list(value):
        elements = [value[position] for position in sorted(value)]
        if name == "SecurityGroupRuleId":
            return {"items": [{"securityGroupRuleId": element} for element in elements]}
        written = [_camel("", element) for element in elements]
        # Only the tags inside a tag specification are a bare list.
        return [*written] if name == "Tag" else {"items": written}
    if isinstance(value, dict):
        return {
            ("tags" if key == "Tag" else _lower_first(str(key))): _camel(str(key), inner)
            for key, inner in value.items()
        }
    return _scalar(name, str(value))


def _pascal(value: Any, name: str = "") -> Any:
    if _is_list(value):
        elements = [_tagged(_pascal(value[position]), position) for position in sorted(value)]
        return elements[0] if len(elements) == 1 else elements
    if isinstance(value, dict):
        return {str(key): _pascal(inner, str(key)) for key, inner in value.items()}
    return _scalar(name, str(value))


def _tagged(element: Any, position: int) -> Any:
    return {**element, "tag": position} if isinstance(element, dict) else {"content": element, "tag": position}


def _local_name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _element(element: Element) -> Any:
    children = list(element)
    name = _local_name(element)
    if not children:
        if name.endswith("Set") or name in _SOURCES:
            return {}
        return _scalar(name, element.text or "")
    if all(_local_name(child) == "item" for child in children):
        return {"items": [_element(child) for child in children]}
    return {_local_name(child): _element(child) for child in children}
