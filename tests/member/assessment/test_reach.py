"""What EC2's answers say of what a group reaches; nothing in them can break the reader."""

from __future__ import annotations

from typing import Any

import pytest

from member.chalicelib.assessment.reach import interfaces_of, kind_of, manager_of, prefix_list_of
from shared.domain.reach import InterfaceKind, Interfaces, Manager, PrefixList


def requested(**values: Any) -> dict[str, Any]:
    """Return an interface that a service made."""
    return {"InterfaceType": "interface", "RequesterManaged": True, **values}


@pytest.mark.parametrize(
    ("interface", "kind"),
    [
        ({"InterfaceType": "interface", "Attachment": {"InstanceId": "i-1"}}, "instance"),
        ({"InterfaceType": "efa", "Attachment": {"InstanceId": "i-1"}}, "instance"),
        ({"InterfaceType": "interface", "Attachment": {"InstanceOwnerId": "amazon-rds"}}, "other"),
        ({"InterfaceType": "lambda", "RequesterManaged": True}, "lambda"),
        ({"InterfaceType": "network_load_balancer"}, "load_balancer"),
        ({"InterfaceType": "vpc_endpoint"}, "endpoint"),
        (requested(RequesterId="amazon-elb"), "load_balancer"),
        (requested(RequesterId="123456789012", Description="ELB app/web/50dc6c495c0c9188"), "load_balancer"),
        (requested(RequesterId="amazon-rds", Description="RDSNetworkInterface"), "database"),
        (requested(Description="RDSNetworkInterface"), "database"),
        (requested(Description="something new"), "other"),
        ({"InterfaceType": "interface", "Description": "ELB app/mine", "RequesterManaged": False}, "other"),
        ({"Attachment": "broken", "Description": 5}, "other"),
        ({}, "other"),
    ],
)
def test_what_has_an_interface(interface: dict[str, Any], kind: InterfaceKind) -> None:
    """Its type, its requester, or what the service writes; what users write about their own counts for nothing."""
    assert kind_of(interface) == kind


def test_interfaces_are_counted_by_kind_and_by_public_address() -> None:
    """An address that two places name counts once; private ones of IPv6 do not count."""
    public = {"Association": {"PublicIp": "192.0.2.10"}}
    found = [
        {"InterfaceType": "lambda"},
        {
            "Attachment": {"InstanceId": "i-1"},
            **public,
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1", **public}, {"Association": None}, "broken"],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}, {"Ipv6Address": "fd00::1"}, {"Ipv6Address": "broken"}],
        },
        *({"Association": {"PublicIp": f"192.0.2.{number}"}} for number in (9, 2, 3)),
    ]
    assert interfaces_of(found, is_more=True) == Interfaces(
        count=5,
        is_more=True,
        kinds=(("instance", 1), ("lambda", 1), ("other", 3)),
        public=("192.0.2.2", "192.0.2.3", "192.0.2.9", "192.0.2.10"),
        more_public=1,
    )
    assert interfaces_of([], is_more=False) == Interfaces()


@pytest.mark.parametrize(
    ("tags", "manager"),
    [
        ({}, Manager()),
        ({"Name": "web"}, Manager()),
        ({"aws:cloudformation:stack-name": "web", "ManagedBy": "me"}, Manager(name="CloudFormation stack web")),
        ({"aws:eks:cluster-name": "prod"}, Manager(name="EKS cluster prod")),
        ({"ManagedBy": "terraform"}, Manager(name="terraform", is_tagged=True)),
        ({"managed-by": ""}, Manager()),
        ({"kubernetes.io/cluster/prod": "owned"}, Manager(name="Kubernetes cluster prod", is_tagged=True)),
        ({"kubernetes.io/cluster/": "owned"}, Manager()),
        (
            {"elbv2.k8s.aws/cluster": "prod", "kubernetes.io/cluster/prod": "owned"},
            Manager(name="AWS Load Balancer Controller of cluster prod", is_tagged=True),
        ),
        ({"managed_by": "x" * 256}, Manager(name="x" * 256, is_tagged=True)),
    ],
)
def test_who_manages_a_group(tags: dict[str, str], manager: Manager) -> None:
    """AWS's own tags say it; tags that users can write only say so."""
    assert manager_of([{"Key": key, "Value": value} for key, value in tags.items()]) == manager


def test_a_prefix_list_with_and_without_its_entries() -> None:
    """The first ranges are named, the others counted; a list of AWS has no version."""
    described = {"PrefixListId": "pl-1", "OwnerId": "111111111111", "PrefixListName": "offices", "Version": 3}
    entries = [{"Cidr": f"192.0.2.{number}/32"} for number in range(12)]
    assert prefix_list_of(described, [*entries, {"Cidr": "broken"}]) == PrefixList(
        list_id="pl-1",
        owner="111111111111",
        name="offices",
        version=3,
        entries=tuple(f"192.0.2.{number}/32" for number in range(10)),
        more_entries=2,
    )
    aws = prefix_list_of({"PrefixListId": "pl-2", "OwnerId": "AWS"}, None)
    assert aws == PrefixList(list_id="pl-2", owner="AWS")
    assert aws.is_of_aws
