"""Several people change one group at once, with decisions in between, and everything arrives in any order.

Whatever happens: when nothing is under way any more, the group is its baseline plus what was approved plus what those
did who may do as they please; and everybody else's change has become a request that people were shown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.telemetry import logger
from tests.fault import scenes
from tests.fault.accounts import Somebody, facts
from tests.fault.flows import Story
from tests.fault.judging import about_messages, about_record, path_of, settle
from tests.fault.world import Begin, World, worlds

PORTS = (22, 80, 443, 8080)
TEXTS = ("", "one", "two")
STEPS = 25
SHARE = 8
"""Of the profile's examples, one in so many: each of these is a whole story. ``--hypothesis-profile=thorough``: 500."""

_begin: list[Begin] = []


@contextmanager
def _open() -> Iterator[None]:
    level = logger.log_level
    logger.setLevel(logging.CRITICAL)
    with worlds() as begin:
        _begin.append(begin)
        try:
            yield
        finally:
            _begin.clear()
            logger.setLevel(level)


class Interleavings(RuleBasedStateMachine):
    """One group, two people, one exempt pipeline, approvers, and a world that delivers as it likes."""

    world: World
    group: str
    allowed: dict[str, Rule]
    """What the group should be: approved rules by identity."""

    @initialize()
    def starts(self) -> None:
        """Begin with an approved group."""
        self.world = _begin[0]()
        self.group = scenes.guarded(self.world)
        self.allowed = {one.identity: one for one in scenes.BASE}
        self.applied: set[str] = set()
        self.put: dict[str, str] = {}
        """The identity that somebody who has to ask gave to the rule of an id."""

    # -- people --------------------------------------------------------------------------------------------------------

    @rule(who=st.sampled_from(["ada", "grace"]), data=st.data())
    def changes(self, who: str, data: st.DataObject) -> None:
        """Somebody who has to ask changes the group."""
        somebody: Somebody = getattr(self.world.accounts, who)
        before = {one.rule_id or "": one.identity for one in somebody.live(self.group)}
        self._change(somebody, data, list(somebody.live(self.group)))
        after = {one.rule_id or "": one.identity for one in somebody.live(self.group)}
        self.put |= dict(after.items() - before.items())

    @rule(data=st.data())
    def changes_freely(self, data: st.DataObject) -> None:
        """The pipeline changes what is approved, or adds to it.

        It knows rules by their ids. A rule with the values of an approved one, but another id, is not the pipeline's.
        """
        pipeline = self.world.accounts.pipeline
        self.world.wait(seconds=1)  # the order of what it does within one second, CloudTrail does not tell
        live = pipeline.live(self.group)
        mine = [one for one in live if self.put.get(one.rule_id or "") != one.identity]
        known = [one for one in mine if facts([one]) <= facts(self.allowed.values())]
        done = self._change(pipeline, data, known)
        if done is not None:
            before, after = done
            if before is not None:
                del self.allowed[before.identity]
            if after is not None:
                self.allowed[after.identity] = after

    def _change(
        self, somebody: Somebody, data: st.DataObject, known: list[Rule]
    ) -> tuple[Rule | None, Rule | None] | None:
        """Make one change; return what was there before and after it."""
        live = {one.identity for one in somebody.live(self.group)}
        free = [one for port in PORTS if (one := scenes.rule(port)).identity not in live]
        kinds = (["add"] if free else []) + (["remove", "describe"] if known else [])
        kinds += ["edit"] if free and known else []
        if not kinds:
            return None
        kind = data.draw(st.sampled_from(kinds))
        text = data.draw(st.sampled_from(TEXTS))
        if kind == "add":
            fresh = replace(data.draw(st.sampled_from(free)), description=text)
            somebody.opens(self.group, fresh)
            return None, fresh
        before = data.draw(st.sampled_from(sorted(known, key=lambda one: one.identity)))
        if kind == "remove":
            somebody.closes(self.group, before)
            return before, None
        if kind == "describe":
            after = replace(before, description=text)
            somebody.describes(self.group, after)
            return before, after
        after = replace(data.draw(st.sampled_from(free)), description=text)
        somebody.edits(self.group, before, after)
        return before, after

    # -- decisions -----------------------------------------------------------------------------------------------------

    @rule(data=st.data(), action=st.sampled_from(["approve", "approve", "deny"]))
    def decides(self, data: st.DataObject, action: str) -> None:
        """Somebody clicks a button, of a request that may be long decided."""
        asked = [one for one in self.world.accounts.records() if self.world.questions(one.request.request_id)]
        if asked:
            number = data.draw(st.integers(0, len(asked) - 1))
            self.world.click(asked[number].request.request_id, action)

    # -- deliveries ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.waiting)
    @rule(data=st.data(), again=st.booleans())
    def delivers(self, data: st.DataObject, again: bool) -> None:
        """One of the things that wait is delivered, perhaps twice."""
        position = data.draw(st.integers(0, len(self.world.waiting) - 1))
        self.world.deliver_next(position, again=again)
        self._note_applied()

    @precondition(lambda self: self.world.waiting)
    @rule()
    def delivers_all(self) -> None:
        """Everything that waits is delivered."""
        self._drain()

    @rule(seconds=st.sampled_from([0.3, 1.0, 70.0]))
    def waits(self, seconds: float) -> None:
        """Time passes."""
        self.world.wait(seconds=seconds)

    @rule()
    def looks(self) -> None:
        """The scheduled snapshot is due; it runs when its turn comes."""
        self.world.queue_schedule("snapshotSecurityGroups")

    # -- the end -------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Deliver everything, and look."""
        if not hasattr(self, "world"):
            return
        self._drain()
        settle(self.world, after_each=self._note_applied)
        assert self.world.dead == []
        wanted = facts(self.allowed.values())
        assert facts(self.world.accounts.ada.live(self.group)) == wanted
        baselines, ledger = self.world.accounts.state()
        assert facts(baselines[self.group].rules) == wanted
        records = self.world.accounts.records()
        self._nothing_is_hidden({one.request.request_id for one in records})
        for record in records:
            path = path_of(record)
            story = Story(path=path, ledger=ledger[record.request.request_id].outcome, by=record.view.decided_by)
            assert list(about_record(record, story)) == []
            assert record.duplicate_of or list(about_messages(self.world, record)) == []

    def _nothing_is_hidden(self, known: set[str]) -> None:
        people = (self.world.accounts.ada.arn, self.world.accounts.grace.arn)
        made = [one["detail"] for one in self.world.events if one["detail"]["userIdentity"]["arn"] in people]
        assert {one["requestID"] for one in made if not one.get("errorCode")} <= known

    def _drain(self) -> None:
        while self.world.waiting:
            self.world.deliver_next()
            self._note_applied()

    def _note_applied(self) -> None:
        """Take every change that has come into force since into what the group should be."""
        _, ledger = self.world.accounts.state()
        for request_id, entry in ledger.items():
            if entry.outcome == "applied" and request_id not in self.applied:
                self.applied.add(request_id)
                self._apply(entry.request)

    def _apply(self, request: Request) -> None:
        change = request.change
        for gone in (*change.removed, *(edit.before for edit in change.modified)):
            self.allowed.pop(gone.identity, None)
        for come in (*change.added, *(edit.after for edit in change.modified)):
            self.allowed[come.identity] = come


def test_a_group_ends_as_its_baseline_plus_what_was_approved_and_allowed() -> None:
    """Random interleavings of changes, decisions, deliveries and snapshots, all ending in the approved state."""
    is_usual = settings().max_examples <= settings.get_profile("usual").max_examples
    usual = settings(
        max_examples=settings().max_examples // SHARE,
        derandomize=is_usual,  # the same stories in each run; other ones with --hypothesis-profile=thorough
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    with _open():
        run_state_machine_as_test(Interleavings, settings=usual)
