"""Reads what a group reaches out of EC2's answers: interfaces and their kinds, who manages it, prefix lists. Pure.

Foreign values are taken as they come and bounded: what cannot be understood is ``other``, or left out. Nothing here may
keep a request from being asked.

What does not belong here: the calls (``member.chalicelib.reaching``).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from shared.domain.networks import is_private, range_of
from shared.domain.reach import (
    LONGEST_NAME,
    MOST_ADDRESSES,
    MOST_ENTRIES,
    InterfaceKind,
    Interfaces,
    Manager,
    PrefixList,
)

Json = Mapping[str, Any]

_KINDS: Final[tuple[InterfaceKind, ...]] = get_args(InterfaceKind)

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html (InterfaceType)
_BY_TYPE: Final[Mapping[str, InterfaceKind]] = {
    "lambda": "lambda",
    "load_balancer": "load_balancer",
    "network_load_balancer": "load_balancer",
    "gateway_load_balancer": "load_balancer",
    "vpc_endpoint": "endpoint",
    "gateway_load_balancer_endpoint": "endpoint",
}
# Interfaces that a service makes have the type ``interface`` too; who asked for them is the service.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
_BY_REQUESTER: Final[Mapping[str, InterfaceKind]] = {
    "amazon-elb": "load_balancer",
    "amazon-rds": "database",
    "amazon-redshift": "database",
    "amazon-elasticache": "database",
}
# A requester may also be an account number of AWS; then the description that the service gives its interfaces says it.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html ("ELB app/…"),
# https://repost.aws/knowledge-center/vpc-find-owner-unknown-ip-addresses ("RDSNetworkInterface", "AWS Lambda VPC ENI…")
_BY_DESCRIPTION: Final[tuple[tuple[str, InterfaceKind], ...]] = (
    ("ELB ", "load_balancer"),
    ("RDSNetworkInterface", "database"),
    ("RedshiftNetworkInterface", "database"),
    ("ElastiCache ", "database"),
    ("AWS Lambda VPC ENI", "lambda"),
    ("VPC Endpoint Interface ", "endpoint"),
)

# Users cannot write tags that begin with ``aws:``. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_BY_AWS_TAG: Final = (
    ("aws:cloudformation:stack-name", "CloudFormation stack"),
    ("aws:eks:cluster-name", "EKS cluster"),
)
# Tags that known controllers set, and that anybody else can set, too.
_BY_TAG: Final = (
    ("elbv2.k8s.aws/cluster", "AWS Load Balancer Controller of cluster"),
    ("elasticbeanstalk:environment-name", "Elastic Beanstalk environment"),
)
_BY_TAG_PREFIX: Final = (("kubernetes.io/cluster/", "Kubernetes cluster"),)
_SAYING_WHO: Final = frozenset({"managedby", "managed-by", "managed_by", "managed by", "app.kubernetes.io/managed-by"})


def interfaces_of(found: Iterable[Json], *, is_more: bool) -> Interfaces:
    """Return what a group is attached to.

    Args:
        found: ``NetworkInterfaces`` of EC2's answer.
        is_more: the answer says that there are more.
    """
    interfaces = list(found)
    counts = Counter(map(kind_of, interfaces))
    addresses = sorted({one for interface in interfaces for one in _public(interface)}, key=_as_number)
    return Interfaces(
        count=len(interfaces),
        is_more=is_more,
        kinds=tuple((kind, counts[kind]) for kind in _KINDS if counts[kind]),
        public=tuple(map(str, addresses[:MOST_ADDRESSES])),
        more_public=max(0, len(addresses) - MOST_ADDRESSES),
    )


def kind_of(interface: Json) -> InterfaceKind:
    """Return what has an interface; its description counts only where a service made it, since users write others."""
    by_type = _BY_TYPE.get(_text(interface, "InterfaceType"))
    if by_type is not None:
        return by_type
    if interface.get("RequesterManaged") is True:
        description = _text(interface, "Description")
        by_description = next((kind for start, kind in _BY_DESCRIPTION if description.startswith(start)), None)
        return _BY_REQUESTER.get(_text(interface, "RequesterId")) or by_description or "other"
    attachment = interface.get("Attachment")
    return "instance" if isinstance(attachment, Mapping) and attachment.get("InstanceId") else "other"


def manager_of(tags: Iterable[Json]) -> Manager:
    """Return who manages a group by its tags, e.g. ``[{"Key": "aws:cloudformation:stack-name", "Value": "web"}]``."""
    held = {_text(tag, "Key"): _text(tag, "Value") for tag in tags}
    for key, what in _BY_AWS_TAG:
        if key in held:
            return Manager(name=_named(what, held[key]))
    tagged = [_named(what, held[key]) for key, what in _BY_TAG if key in held]
    tagged += [
        _named(what, key.removeprefix(start)) for start, what in _BY_TAG_PREFIX for key in held if _is(key, start)
    ]
    tagged += [_named(held[key]) for key in sorted(held) if key.lower() in _SAYING_WHO and held[key]]
    return Manager(name=tagged[0], is_tagged=True) if tagged else Manager()


def prefix_list_of(described: Json, entries: Iterable[Json] | None) -> PrefixList:
    """Return a managed prefix list.

    Args:
        described: of ``DescribeManagedPrefixLists``.
        entries: of ``GetManagedPrefixListEntries``; ``None`` where they could not be read.
    """
    version = described.get("Version")
    ranges = [text for entry in entries or () if (text := _range(_text(entry, "Cidr")))]
    return PrefixList(
        list_id=_text(described, "PrefixListId"),
        owner=_text(described, "OwnerId"),
        name=_text(described, "PrefixListName")[:LONGEST_NAME],
        version=version if isinstance(version, int) else None,
        entries=tuple(ranges[:MOST_ENTRIES]),
        more_entries=max(0, len(ranges) - MOST_ENTRIES),
    )


def _public(interface: Json) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Yield the public addresses of an interface: those associated with it, and those of IPv6 that are not private."""
    private = _items(interface, "PrivateIpAddresses")
    associations = [one.get("Association") for one in (interface, *private)]
    texts = [_text(one, "PublicIp") for one in associations if isinstance(one, Mapping)]
    texts += [_text(one, "Ipv6Address") for one in _items(interface, "Ipv6Addresses")]
    for text in texts:
        if _range(text) and not is_private(range_of(text)):
            yield ipaddress.ip_address(text)


def _as_number(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int]:
    return address.version, int(address)


def _range(text: str) -> str:
    """Return an address or a range as it is, else nothing."""
    try:
        range_of(text)
    except ValueError:
        return ""
    return text


def _items(document: Json, key: str) -> list[Json]:
    return [one for one in document.get(key) or () if isinstance(one, Mapping)]


def _text(document: Json, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _is(key: str, start: str) -> bool:
    return key.startswith(start) and key != start


def _named(*parts: str) -> str:
    return " ".join(part for part in parts if part)[:LONGEST_NAME]
