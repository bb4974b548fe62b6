"""How CloudTrail writes an EC2 call's parameters and answer: two styles, depending on the age of the API action.

Older actions are written in camelCase with ``{"items": […]}`` around lists; newer ones as they travel, in PascalCase
below ``<Action>Request``, where one element is an object, several are a list, and each has a ``tag`` with its
position. The event around them is in ``cloudtrail.py``.
"""

import json
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, fromstring

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
        # Only the tags inside a tag specification stand in a bare list.
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
