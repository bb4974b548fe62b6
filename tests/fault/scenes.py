"""What flows are made of: where they start, what people do in them, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.domain.rule import Rule, cidr, make_rule
from tests.fault.world import World
from tests.support.slack_stand_in import APPROVAL, MONITORING, Reply

Play = Callable[[World, str], None]
"""Something that happens to the group with this id."""


def rule(port: int, description: str = "", source: str = "10.0.0.0/8") -> Rule:
    """An inbound TCP rule."""
    return make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=port,
        to_port=port,
        source=cidr(source),
        description=description,
    )


HTTPS = rule(443, "https")
WEB = rule(80, source="0.0.0.0/0")
SSH = rule(22, "ssh")
TELNET = rule(23, source="0.0.0.0/0")
MOVED = rule(8443, "https moved")
SWAPPED = rule(443, "web now")
TAGGED = replace(rule(993, "imaps"), tags=(("team", "shop"),))
DESCRIBED = replace(HTTPS, description="described otherwise")
BASE = (HTTPS, WEB)


# -- where flows start -------------------------------------------------------------------------------------------------


def guarded(world: World) -> str:
    """A group whose rules are approved."""
    group = unlearned(world)
    world.run_schedule("snapshotSecurityGroups")
    world.wait(minutes=1)
    return group


def with_tags(world: World) -> str:
    """A group one of whose approved rules has tags."""
    group = unlearned(world)
    world.accounts.pipeline.opens(group, TAGGED, tags=dict(TAGGED.tags))
    world.drain()
    world.run_schedule("snapshotSecurityGroups")
    world.wait(minutes=1)
    return group


def unlearned(world: World) -> str:
    """A group that the product has not seen yet."""
    passes, world.passes = world.passes, lambda _event: None
    group = world.accounts.new_group()
    world.accounts.pipeline.opens(group, *BASE)
    world.passes = passes
    world.wait(minutes=1)
    return group


def asked(change: Play) -> Callable[[World], str]:
    """A group in which a change was reverted and asked."""

    def prepare(world: World) -> str:
        group = guarded(world)
        change(world, group)
        world.drain()
        world.wait(minutes=1)
        return group

    return prepare


def fought(times: int, *, decided: str = "") -> Callable[[World], str]:
    """A group in which somebody made the same change so many times; perhaps the first one has been decided."""

    def prepare(world: World) -> str:
        group = guarded(world)
        for _ in range(times):
            adds(world, group)
            world.drain()
            world.wait(minutes=1)
        if decided:
            world.click(world.accounts.records()[0].request.request_id, decided)
            world.drain()
        return group

    return prepare


def only_request(world: World) -> str:
    """Return the id of the one request there is."""
    (record,) = world.accounts.records()
    return record.request.request_id


def adds(world: World, group: str) -> None:
    """Ada opens two ports."""
    world.accounts.ada.opens(group, SSH, TELNET)


def asks_first(world: World, group: str) -> None:
    """Ada asks for two ports by a dry run."""
    world.accounts.ada.asks_for(group, SSH, TELNET)


def removes(world: World, group: str) -> None:
    """Ada closes a port."""
    world.accounts.ada.closes(group, HTTPS)


def edits(world: World, group: str) -> None:
    """Ada edits a rule in place."""
    world.accounts.ada.edits(group, HTTPS, MOVED)


def swaps(world: World, group: str) -> None:
    """Ada edits two rules in one call, one into the place that the other leaves."""
    world.accounts.ada.edits(group, HTTPS, MOVED, (WEB, SWAPPED))


def removes_tagged(world: World, group: str) -> None:
    """Ada closes a port with tags and one without; to restore them takes a call for each."""
    world.accounts.ada.closes(group, TAGGED, HTTPS)


def describes(world: World, group: str) -> None:
    """Ada describes a rule otherwise."""
    world.accounts.ada.describes(group, DESCRIBED)


def then_all(change: Play) -> Play:
    """A change, and all that follows from it."""

    def play(world: World, group: str) -> None:
        change(world, group)
        world.drain()

    return play


def clicks(action: str) -> Play:
    """Somebody clicks, and all that follows from it."""

    def play(world: World, _group: str) -> None:
        world.click(only_request(world), action)
        world.drain()

    return play


def sweeps(**later: float) -> Play:
    """The sweep runs, so much later."""

    def play(world: World, _group: str) -> None:
        world.wait(**later)
        world.run_schedule("sweepRequests")

    return play


# -- special starts and changes ----------------------------------------------------------------------------------------


def without_answer(world: World, group: str) -> None:
    """Ada opens ports, and the event has no rule ids, as in old events."""
    world.passes = _without_answer
    adds(world, group)


def _without_answer(event: dict[str, Any]) -> dict[str, Any]:
    detail = event["detail"]
    if detail["eventName"] != "AuthorizeSecurityGroupIngress":
        return event
    return {**event, "detail": {**detail, "responseElements": {"_return": True}}}


def omitted(world: World, group: str) -> None:
    """Ada opens ports in a call so large that CloudTrail leaves its details out."""
    world.passes = _omitted
    adds(world, group)


def _omitted(event: dict[str, Any]) -> dict[str, Any]:
    left_out = {"omitted": True, "originalSize": 200_000, "reason": "too large"}
    return {**event, "detail": {**event["detail"], "requestParameters": left_out, "responseElements": left_out}}


def makes_group(world: World, _group: str) -> None:
    """Ada makes a group and opens a port in it."""
    fresh = world.accounts.new_group(world.accounts.ada, name="fresh")
    world.accounts.ada.opens(fresh, SSH)


def deletes_group(world: World, group: str) -> None:
    """Ada opens ports and deletes the group."""
    adds(world, group)
    world.accounts.ada.ec2.delete_security_group(GroupId=group)


def duplicated(world: World) -> str:
    """A group in which the pipeline has meanwhile added what was asked."""
    group = asked(adds)(world)
    world.accounts.pipeline.opens(group, replace(SSH, description="the pipeline's"))
    world.drain()
    return group


def unasked(world: World) -> str:
    """A change was reverted, but Slack was down during all tries."""
    group = guarded(world)
    for path in (APPROVAL, MONITORING):
        world.accounts.slack.always[path] = Reply(status=500)
    adds(world, group)
    world.drain()
    world.accounts.slack.always.clear()
    return group


def undispatched(world: World) -> str:
    """A change was approved, but the message to the member account got lost."""
    group = asked(adds)(world)
    world.click(only_request(world), "approve")
    world.hold("applySecurityGroupChange")
    return group


def aged(**age: float) -> Callable[[World], str]:
    """A change was asked some time ago, and no sweep ran since."""

    def prepare(world: World) -> str:
        group = asked(adds)(world)
        world.wait(**age)
        return group

    return prepare


def unnoticed(world: World) -> str:
    """Ada opened ports, closed one and edited one, and no event ever came."""
    group = unlearned(world)
    world.accounts.pipeline.opens(group, rule(25, "mail"))
    world.drain()
    world.run_schedule("snapshotSecurityGroups")
    world.wait(minutes=1)
    world.passes = lambda _event: None
    adds(world, group)
    world.accounts.ada.closes(group, WEB)
    world.accounts.ada.edits(group, HTTPS, MOVED)
    world.passes = lambda event: event
    return group


def snapshots(world: World, _group: str) -> None:
    """The scheduled snapshot runs until a difference has stood for long enough."""
    for _ in range(3):
        world.run_schedule("snapshotSecurityGroups")
        world.wait(minutes=10)
