"""What must hold after a flow, whatever went wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from central.chalicelib.requests.record import Record
from shared.domain.request import Status
from tests.fault.accounts import facts
from tests.fault.flows import End, Story
from tests.fault.world import World
from tests.support.slack_stand_in import APPROVAL, MONITORING, Post

CANCELLED = "cancelled by its requester"
"""How the headline of an expired request ends that later calls of its requester have superseded."""

HEADLINES: Mapping[Status, tuple[str, ...]] = {
    "pending": ("need approval", "wait for approval", "needs approval", "still needs approval", "waits for approval"),
    "applied": ("approved and applied",),
    "denied": ("denied", "denied by policy"),
    "expired": ("request expired", CANCELLED),
    "error": ("could not be applied",),
    "unreverted": ("could not be reverted",),
    "observed": ("observed",),
}
"""How the headline of a message ends that says so."""

_SHOWN_IN_APPROVAL: frozenset[Status] = frozenset({"pending", "applied", "denied", "expired", "error", "unreverted"})


def settle(world: World, *, after_each: Callable[[], None] = lambda: None) -> None:
    """Do what operators and schedules do in the next hours: dead letters are redriven, sweep and snapshot run.

    It comes to an end when these have nothing more to do, or after three rounds.

    Args:
        world: the world.
        after_each: called after each of these.
    """
    for _ in range(3):
        world.wait(minutes=10)
        world.redrive()
        world.drain()
        after_each()
        for function in ("sweepRequests", "snapshotSecurityGroups"):
            world.wait(minutes=10)
            world.run_schedule(function)
            after_each()
        baselines, _ = world.accounts.state()
        has_drift = any(not one.request_id for baseline in baselines.values() for one in baseline.differences)
        stored = (*world.accounts.records(), *world.accounts.notices())
        if not (has_drift or world.dead or any(record.tasks for record in stored)):
            return


def violations(world: World, group: str, end: End) -> list[str]:
    """Return a sentence for everything that is not as it must be."""
    return [*_about_group(world, group, end), *_about_requests(world, end), *_about_queues(world)]


def _about_group(world: World, group: str, end: End) -> Iterator[str]:
    baselines, _ = world.accounts.state()
    if end.rules is None:
        if end.is_forgotten and group in baselines:
            yield "the deleted group still has a baseline"
        return
    live = facts(world.accounts.ada.live(group))
    if live != end.rules:
        yield f"rules: missing {_listed(end.rules - live)}, too many {_listed(live - end.rules)}"
    if group not in baselines:
        yield "the group has no baseline"
        return
    approved, wanted = facts(baselines[group].rules), end.rules if end.approved is None else end.approved
    if approved != wanted:
        yield f"baseline: missing {_listed(wanted - approved)}, too many {_listed(approved - wanted)}"
    ids = {one.identity: one.rule_id for one in world.accounts.ada.live(group)}
    stale = [one for one in baselines[group].rules if one.identity in ids and one.rule_id != ids[one.identity]]
    if stale:
        yield f"baseline: rule ids of {[one.identity for one in stale]} are not the live ones"


def _listed(some: Iterable[tuple[object, ...]]) -> list[object]:
    return sorted((one[:2] for one in some), key=repr)


def _about_requests(world: World, end: End) -> Iterator[str]:
    records = world.accounts.records()
    paths = sorted(path_of(record) for record in records)
    if paths != sorted(story.path for story in end.stories):
        yield f"requests: {paths} instead of {[story.path for story in end.stories]}"
        return
    for notice in world.accounts.notices():
        if notice.tasks:
            yield f"notice {notice.request.request_id}: still pending: {[task for task, _ in notice.tasks]}"
    _, ledger = world.accounts.state()
    for record, story in zip(sorted(records, key=path_of), sorted(end.stories, key=lambda one: one.path), strict=True):
        entry = ledger.get(record.request.request_id)
        if entry is None or entry.outcome != story.ledger:
            yield f"ledger: {entry.outcome if entry else 'nothing'} instead of {story.ledger}"
        yield from about_record(record, story)
        if not record.duplicate_of:  # the other request's messages stand for it
            yield from about_messages(world, record)


def path_of(record: Record) -> tuple[Status, ...]:
    """Return the statuses that a request went through, as its history tells."""
    return tuple(entry.status for entry in record.history if entry.status != entry.previous)


def about_record(record: Record, story: Story) -> Iterator[str]:
    """Say what is wrong with a stored request."""
    if record.status != story.status:
        yield f"status: {record.status} instead of {story.status}"
    if record.tasks:
        yield f"still pending: {[task for task, _ in record.tasks]}"
    if record.view.decided_by != story.by:
        yield f"decided by {record.view.decided_by!r} instead of {story.by!r}"
    if record.clicked.response_url:
        yield "the response_url is still there"
    previous = ""
    for entry in record.history:
        if entry.previous != previous:
            yield f"history: {entry.status} says it comes from {entry.previous or 'nowhere'}, not {previous}"
        previous = entry.status


def about_messages(world: World, record: Record) -> Iterator[str]:
    """Say what people in the two channels were not told, or told wrongly."""
    request_id, status = record.request.request_id, record.status
    posts = [post for post in world.accounts.slack.posts if request_id in post.text]
    lasting = [post for post in posts if post.payload.get("response_type") != "ephemeral"]
    for name, path in (("approval", APPROVAL), ("monitoring", MONITORING)):
        channel = [post for post in lasting if (post.path == MONITORING) == (path == MONITORING)]
        if name == "approval" and status not in _SHOWN_IN_APPROVAL:
            continue
        if name == "approval" and record.view.decided_by == "policy":
            continue
        said = [headline(post) for post in channel]
        if not any(says(one, status) for one in said):
            yield f"{name}: nobody was told '{status}': {said}"
        elif not says(said[-1], status):
            yield f"{name}: the last word is {said[-1]!r}, not '{status}'"
        elif status == "expired" and said[-1].endswith(CANCELLED) != record.view.is_superseded:
            yield f"{name}: {said[-1]!r} does not say why nobody decided"
        ended = {other for one in said for other in HEADLINES if other != "pending" and says(one, other)}
        if not ended <= set(path_of(record)):  # an error that was redriven, for one, ends twice
            yield f"{name}: contradictory messages: {said}"
    if status == "pending" and not world.questions(record.asked_in or request_id):
        yield "approval: no message with buttons"


def headline(post: Post) -> str:
    """Return a message's headline."""
    texts = [block["text"]["text"] for block in post.payload.get("blocks", []) if block["type"] == "header"]
    return texts[0] if texts else ""


def says(text: str, status: Status) -> bool:
    """True when a headline says that a request is in a status."""
    return text.partition(" (part ")[0].endswith(HEADLINES[status])


def _about_queues(world: World) -> Iterator[str]:
    if world.waiting:
        yield f"still queued: {[one.function for one in world.waiting]}"
    for letter in world.dead:
        yield f"dead letter of {letter.function}: {letter.error[:300]}"
