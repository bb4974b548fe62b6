"""An account in memory: as much of EC2, DynamoDB, SNS and STS as the member app uses, for thousands of stories.

moto answers a call in milliseconds; here it is microseconds. The product still runs from its entry points, through its
own clients: only what a client sends is answered here. ``tests/attack/member/test_memory_account.py`` compares it
with moto.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest import mock

from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shared.wire.messages import AdoptedMessage, HeartbeatMessage, Message, read_message
from tests.support.aws_clients import aws_client
from tests.support.member_account import ACCOUNT, REGION, Member, Person, at

Json = dict[str, Any]

LARGEST_ITEM: Final = 400 * 1024
LARGEST_MESSAGE: Final = 256 * 1024
_SOURCES: Final = {"CidrIpv4": "ipv4", "CidrIpv6": "ipv6", "PrefixListId": "prefix_list", "ReferencedGroupId": "group"}
_BEGAN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Clock:
    """A time that only the test moves on."""

    def __init__(self) -> None:
        self.now = _BEGAN

    def wait(self, **some: float) -> None:
        """Move it on."""
        self.now += timedelta(**some)


@dataclass
class Group:
    """A group of EC2, with its rules by id as ``DescribeSecurityGroupRules`` shows them."""

    group_id: str
    name: str
    owner: str
    rules: dict[str, Json] = field(default_factory=dict)


@dataclass
class MemoryAccount:
    """What the account holds.

    Attributes:
        groups: by id.
        items: of the table ``securityGroupState``, by key, in DynamoDB's form.
        published: (topic, message) in their order.
        largest_group: how many rules of a direction a group may have.
        calls: every operation that was called.
    """

    groups: dict[str, Group] = field(default_factory=dict)
    items: dict[str, Json] = field(default_factory=dict)
    published: list[tuple[str, str]] = field(default_factory=list)
    largest_group: int = 60
    calls: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Answer every boto client of the process while the context is open."""

        def call(client: BaseClient, operation: str, parameters: Json) -> Any:
            return self.answer(client, operation, parameters)

        with mock.patch.object(BaseClient, "_make_api_call", call):
            yield

    def answer(self, client: BaseClient, operation: str, parameters: Json) -> Any:
        """Answer one call."""
        self.calls.append(operation)
        return getattr(self, f"_{xform_name(operation)}")(client, parameters)

    def new_group(self, name: str, *, owner: str = ACCOUNT) -> str:
        """Make a group with the rules AWS gives it."""
        group_id = f"sg-{next(self._numbers):017x}"
        group = Group(group_id=group_id, name=name, owner=owner)
        self.groups[group_id] = group
        self._put(group, _rule("-1", None, None, "CidrIpv4", "0.0.0.0/0"), is_egress=True)
        if name == "default":
            self._put(group, _rule("-1", None, None, "ReferencedGroupId", group_id), is_egress=False)
        return group_id

    def _put(self, group: Group, rule: Json, *, is_egress: bool, tags: tuple[Json, ...] = ()) -> Json:
        made = {
            **rule,
            "SecurityGroupRuleId": f"sgr-{next(self._numbers):017x}",
            "GroupId": group.group_id,
            "GroupOwnerId": group.owner,
            "IsEgress": is_egress,
            "Tags": list(tags),
        }
        group.rules[made["SecurityGroupRuleId"]] = made
        return made

    # -- EC2 -----------------------------------------------------------------------------------------------------------

    def _group(self, group_id: str, operation: str) -> Group:
        if group_id not in self.groups:
            raise _error("InvalidGroup.NotFound", operation)
        return self.groups[group_id]

    def _describe_security_groups(self, _client: BaseClient, parameters: Json) -> Json:
        found = list(self.groups.values())
        if "GroupIds" in parameters:
            found = [self._group(one, "DescribeSecurityGroups") for one in parameters["GroupIds"]]
        elif "GroupNames" in parameters:
            found = [one for one in found if one.name in parameters["GroupNames"]]
            if not found:
                raise _error("InvalidGroup.NotFound", "DescribeSecurityGroups")
        return {
            "SecurityGroups": [{"GroupId": one.group_id, "GroupName": one.name, "OwnerId": one.owner} for one in found]
        }

    def _describe_network_interfaces(self, _client: BaseClient, _parameters: Json) -> Json:
        return {"NetworkInterfaces": []}

    def _describe_managed_prefix_lists(self, _client: BaseClient, _parameters: Json) -> Json:
        return {"PrefixLists": []}

    def _describe_security_group_rules(self, _client: BaseClient, parameters: Json) -> Json:
        wanted = self.groups.keys()
        for one in parameters.get("Filters", ()):
            wanted = [group_id for group_id in one["Values"] if group_id in self.groups]
        return {"SecurityGroupRules": [deepcopy(rule) for one in wanted for rule in self.groups[one].rules.values()]}

    def _authorize_security_group_ingress(self, _client: BaseClient, parameters: Json) -> Json:
        return self._authorize(parameters, "AuthorizeSecurityGroupIngress", is_egress=False)

    def _authorize_security_group_egress(self, _client: BaseClient, parameters: Json) -> Json:
        return self._authorize(parameters, "AuthorizeSecurityGroupEgress", is_egress=True)

    def _authorize(self, parameters: Json, operation: str, *, is_egress: bool) -> Json:
        group = self._group(parameters["GroupId"], operation)
        if parameters.get("DryRun"):
            raise _error("DryRunOperation", operation)
        taken = {_identity(one) for one in group.rules.values() if one["IsEgress"] == is_egress}
        fresh = list(_rules_of(parameters["IpPermissions"]))
        tags = tuple(tag for one in parameters.get("TagSpecifications", ()) for tag in one["Tags"])
        if any(tag["Key"].lower().startswith("aws:") for tag in tags):
            raise _error("InvalidParameterValue", operation)
        for one in fresh:
            self._check_reference(one, operation)
        if taken & {_identity(one) for one in fresh} or len({_identity(one) for one in fresh}) < len(fresh):
            raise _error("InvalidPermission.Duplicate", operation)
        if len(taken) + len(fresh) > self.largest_group:
            raise _error("RulesPerSecurityGroupLimitExceeded", operation)
        made = [self._put(group, one, is_egress=is_egress, tags=tags) for one in fresh]
        return {"Return": True, "SecurityGroupRules": deepcopy(made)}

    def _check_reference(self, rule: Json, operation: str) -> None:
        info = rule.get("ReferencedGroupInfo")
        if info is not None and info.get("UserId", ACCOUNT) == ACCOUNT and info["GroupId"] not in self.groups:
            raise _error("InvalidGroup.NotFound", operation)

    def _revoke_security_group_ingress(self, _client: BaseClient, parameters: Json) -> Json:
        return self._revoke(parameters, "RevokeSecurityGroupIngress", is_egress=False)

    def _revoke_security_group_egress(self, _client: BaseClient, parameters: Json) -> Json:
        return self._revoke(parameters, "RevokeSecurityGroupEgress", is_egress=True)

    def _revoke(self, parameters: Json, operation: str, *, is_egress: bool) -> Json:
        group = self._group(parameters["GroupId"], operation)
        ids = parameters.get("SecurityGroupRuleIds", [])
        if any(one not in group.rules or group.rules[one]["IsEgress"] != is_egress for one in ids):
            raise _error("InvalidSecurityGroupRuleId.NotFound", operation)
        held = {_identity(one): key for key, one in group.rules.items() if one["IsEgress"] == is_egress}
        wanted = [_identity(one) for one in _rules_of(parameters.get("IpPermissions", []))]
        if any(one not in held for one in wanted):
            raise _error("InvalidPermission.NotFound", operation)
        for key in (*ids, *(held[one] for one in wanted)):
            group.rules.pop(key, None)
        return {"Return": True}

    def _modify_security_group_rules(self, _client: BaseClient, parameters: Json) -> Json:
        operation = "ModifySecurityGroupRules"
        group = self._group(parameters["GroupId"], operation)
        after = deepcopy(group.rules)
        for update in parameters["SecurityGroupRules"]:
            old = after.get(update["SecurityGroupRuleId"])
            if old is None:
                raise _error("InvalidSecurityGroupRuleId.NotFound", operation)
            new = _requested(update["SecurityGroupRule"])
            if _kind(new) != _kind(old):
                raise _error("InvalidParameterValue", operation)
            self._check_reference(new, operation)
            kept = {key: old[key] for key in ("SecurityGroupRuleId", "GroupId", "GroupOwnerId", "IsEgress", "Tags")}
            after[update["SecurityGroupRuleId"]] = {**new, **kept}
        for direction in (True, False):
            identities = [_identity(one) for one in after.values() if one["IsEgress"] is direction]
            if len(set(identities)) < len(identities):
                raise _error("InvalidPermission.Duplicate", operation)
        group.rules = after
        return {"Return": True}

    def _update_security_group_rule_descriptions_ingress(self, _client: BaseClient, parameters: Json) -> Json:
        operation = "UpdateSecurityGroupRuleDescriptionsIngress"
        group = self._group(parameters["GroupId"], operation)
        held = {_identity(one): key for key, one in group.rules.items() if not one["IsEgress"]}
        texts = {
            one["SecurityGroupRuleId"]: one.get("Description", "")
            for one in parameters.get("SecurityGroupRuleDescriptions", ())
        }
        for one in _rules_of(parameters.get("IpPermissions", [])):
            if _identity(one) not in held:
                raise _error("InvalidPermission.NotFound", operation)
            texts[held[_identity(one)]] = one.get("Description", "")
        if any(key not in group.rules for key in texts):
            raise _error("InvalidSecurityGroupRuleId.NotFound", operation)
        for key, text in texts.items():
            group.rules[key]["Description"] = text
        return {"Return": True}

    def _delete_security_group(self, _client: BaseClient, parameters: Json) -> Json:
        self._group(parameters["GroupId"], "DeleteSecurityGroup")
        del self.groups[parameters["GroupId"]]
        return {"Return": True}

    # -- DynamoDB ------------------------------------------------------------------------------------------------------

    def _get_item(self, _client: BaseClient, parameters: Json) -> Json:
        item = self.items.get(parameters["Key"]["id"]["S"])
        return {} if item is None else {"Item": deepcopy(item)}

    def _batch_get_item(self, _client: BaseClient, parameters: Json) -> Json:
        ((table, wanted),) = parameters["RequestItems"].items()
        keys = [key["id"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [deepcopy(self.items[key]) for key in keys if key in self.items]}}

    def _put_item(self, _client: BaseClient, parameters: Json) -> Json:
        self._check(parameters, "PutItem", parameters["Item"]["id"]["S"])
        if _size(parameters["Item"]) > LARGEST_ITEM:
            raise _error("ValidationException", "PutItem")
        self.items[parameters["Item"]["id"]["S"]] = deepcopy(parameters["Item"])
        return {}

    def _transact_write_items(self, _client: BaseClient, parameters: Json) -> Json:
        puts = [one["Put"] for one in parameters["TransactItems"]]
        try:
            for one in puts:
                self._check(one, "TransactWriteItems", one["Item"]["id"]["S"])
        except ClientError as error:
            raise _error("TransactionCanceledException", "TransactWriteItems") from error
        self.items |= {one["Item"]["id"]["S"]: deepcopy(one["Item"]) for one in puts}
        return {}

    def _update_item(self, _client: BaseClient, parameters: Json) -> Json:
        key = parameters["Key"]["id"]["S"]
        values = parameters["ExpressionAttributeValues"]
        names = parameters.get("ExpressionAttributeNames", {})
        if names:  # the item of heartbeats and probes, whose condition has the form of a put
            self._check(parameters, "UpdateItem", key)
            written = {names[f"#{value[1:]}"]: one for value, one in values.items()}
            self.items[key] = self.items.get(key, {"id": {"S": key}}) | deepcopy(written)
            return {}
        item = self.items.get(key, {"id": {"S": key}})
        condition = parameters["ConditionExpression"].split(" AND ")
        if any(item.get(name) != values[value] for name, value in (one.split(" = ") for one in condition)):
            raise _error("ConditionalCheckFailedException", "UpdateItem")
        for part in parameters["UpdateExpression"].removeprefix("SET ").split(", "):
            name, value = part.split(" = ")
            item[name] = values[value]
        self.items[key] = item
        return {}

    def _delete_item(self, _client: BaseClient, parameters: Json) -> Json:
        self._check(parameters, "DeleteItem", parameters["Key"]["id"]["S"])
        self.items.pop(parameters["Key"]["id"]["S"], None)
        return {}

    def _scan(self, _client: BaseClient, _parameters: Json) -> Json:
        return {"Items": [deepcopy(one) for one in self.items.values()]}

    def _check(self, parameters: Json, operation: str, key: str) -> None:
        condition = parameters.get("ConditionExpression", "")
        stored = self.items.get(key)
        values = parameters.get("ExpressionAttributeValues", {})
        terms = condition.split(" OR ") if condition else []
        is_met = not terms or any(_holds(stored, term, values) for term in terms)
        if not is_met:
            raise _error("ConditionalCheckFailedException", operation, {"Item": deepcopy(stored or {})})

    # -- SNS and STS ---------------------------------------------------------------------------------------------------

    def _publish(self, _client: BaseClient, parameters: Json) -> Json:
        if len(parameters["Message"].encode()) > LARGEST_MESSAGE:
            raise _error("InvalidParameter", "Publish")
        self.published.append((parameters["TopicArn"].rsplit(":", 1)[-1], parameters["Message"]))
        return {"MessageId": "1"}

    def _get_caller_identity(self, _client: BaseClient, _parameters: Json) -> Json:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/member-dev/revertSecurityGroup"
        return {"Account": ACCOUNT, "Arn": arn, "UserId": "AROA:revertSecurityGroup"}


@dataclass
class MemoryMember(Member):
    """A member account in memory, with a clock of its own."""

    account: MemoryAccount = field(kw_only=True)
    clock: Clock = field(kw_only=True)

    def told_all(self) -> list[Message]:
        """Return everything that the central account was sent since the last call."""
        messages = [read_message(text) for _, text in self.account.published]
        self.account.published.clear()
        return messages

    def told(self) -> list[Message]:
        """Return the requests and outcomes that the central account was sent since the last call."""
        return [one for one in self.told_all() if not isinstance(one, AdoptedMessage | HeartbeatMessage)]

    def snapshot(self, *, after: timedelta = timedelta(0)) -> None:
        """Let time pass, and run the scheduled snapshot."""
        self.clock.now += after
        event = {"version": "0", "account": ACCOUNT, "region": REGION, "detail": {}, "detail-type": "Scheduled Event"}
        time = self.clock.now.isoformat()
        self.run("snapshotSecurityGroups", {**event, "source": "aws.events", "time": time, "id": "x", "resources": []})

    def new_group(self, name: str = "") -> str:
        """Make one more group and return its id."""
        return self.account.new_group(name or f"group-{next(self._numbers)}")


@dataclass
class Colleague(Person):
    """Somebody whose calls are made when the account's own clock says."""

    member: MemoryMember

    def event(self, name: str, parameters: Any, response: Any, **fields: Any) -> Json:
        """Return the event of a call by this person; each call is made a second after the one before."""
        self.member.clock.wait(seconds=1)
        return super().event(name, parameters, response, **{"eventTime": at(self.member.clock.now), **fields})


def memory_member(lambda_: Any, patch: Callable[[str, Any], None]) -> tuple[MemoryMember, MemoryAccount]:
    """Return a new member account in memory.

    Args:
        lambda_: Chalice's test client, or what has its ``invoke``.
        patch: replaces an attribute of ``member.chalicelib.context``.
    """
    account, clock = MemoryAccount(), Clock()
    patch("now", lambda: clock.now)
    patch("pause", lambda seconds: clock.wait(seconds=seconds))
    clients = {name: aws_client(name, REGION) for name in ("ec2", "sqs", "dynamodb")}
    group_id = account.new_group("web")
    made = MemoryMember(
        lambda_=lambda_, queue="", vpc_id="", group_id=group_id, account=account, clock=clock, **clients
    )
    return made, account


# -- rules in EC2's forms ----------------------------------------------------------------------------------------------


def _rule(protocol: str, first: int | None, last: int | None, kind: str, value: str, text: str = "") -> Json:
    made: Json = {"IpProtocol": protocol, "FromPort": -1 if first is None else first}
    made |= {"ToPort": -1 if last is None else last, "Description": text}
    if kind == "ReferencedGroupId":
        return made | {"ReferencedGroupInfo": {"GroupId": value, "UserId": ACCOUNT}}
    canonical = str(ipaddress.ip_network(value, strict=False)) if kind.startswith("Cidr") else value
    return made | {kind: canonical}


def _rules_of(permissions: list[Json]) -> Iterator[Json]:
    lists = (
        ("IpRanges", "CidrIp", "CidrIpv4"),
        ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
        ("PrefixListIds", "PrefixListId", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId", "ReferencedGroupId"),
    )
    for one in permissions:
        for key, value, kind in lists:
            for source in one.get(key, ()):
                ports = one.get("FromPort"), one.get("ToPort")
                yield _rule(one["IpProtocol"], *ports, kind, source[value], source.get("Description", ""))


def _requested(request: Json) -> Json:
    kind = next(one for one in _SOURCES if one in request)
    ports = request["FromPort"], request["ToPort"]
    return _rule(request["IpProtocol"], *ports, kind, request[kind], request.get("Description", ""))


def _kind(rule: Mapping[str, Any]) -> str:
    return next(one for one in ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupInfo") if one in rule)


def _identity(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = _kind(rule)
    value = rule[kind]["GroupId"] if kind == "ReferencedGroupInfo" else rule[kind]
    return rule["IpProtocol"], rule["FromPort"], rule["ToPort"], kind, value


def _size(item: Json) -> int:
    return sum(len(key) + len(next(iter(value.values()))) for key, value in item.items() if set(value) & {"S", "B"})


def _holds(stored: Json | None, term: str, values: Json) -> bool:
    """True when an item meets a condition such as ``attribute_not_exists(id)`` or ``version = :seen``."""
    if term.startswith("attribute_not_exists("):
        return term.removeprefix("attribute_not_exists(").removesuffix(")") not in (stored or {})
    if stored is None:
        return False
    name, sign, value = term.split(" ")
    ((is_now,), (wanted,)) = (stored[name].values(), values[value].values())
    return bool({"=": is_now == wanted, "<": is_now < wanted, ">": is_now > wanted}[sign])


def _error(code: str, operation: str, more: Json | None = None) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError({**response, **(more or {})}, operation)
