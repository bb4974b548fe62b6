"""Random stories of a member account: whatever is called, in whatever order, with whatever becomes of the events.

People who have to ask, an exempt pipeline, approvals in between; groups old and new, tags, huge calls; events lost,
late, twice, with parts left out or unreadable; snapshots at any time. At the end every group has to equal its approved
rules, and everything the product changed must have been reported. What is approved is worked out here once more, from
what happened in its true order, without the product's own model.

``python -m tests.attack.stories --number 10000`` runs many and prints the seed of each one that fails.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from member.chalicelib.ec2.forms import rule_from_api
from shared.domain.change import Change, Modification, make_change
from shared.domain.request import Request
from shared.domain.rule import Rule, group, prefix_list
from shared.wire.messages import AppliedMessage, RequestMessage
from tests.support.events import Json, assumed_role, iam_user, identity_center
from tests.support.member_account import ACCOUNT, REGION, Person, at, rule, with_description
from tests.support.memory_account import MemoryAccount, MemoryMember, memory_member

POLICY: Final = f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:role/pipeline"]\n'
OMITTED: Final = {"omitted": True, "originalSize": 112233, "reason": "too large"}
GOOD: Final = (
    rule(22, "10.0.0.0/8", "ssh"),
    rule(443, "2001:db8::/32", "web"),
    rule((8000, 8080), "192.0.2.0/24"),
    rule(5432, prefix_list("pl-0123456789abcdef0"), "offices"),
)
WANTED: Final = (
    rule(22, "0.0.0.0/0", "open"),
    rule((0, 65535), "0.0.0.0/0"),
    rule(3389, "::/0", "open too"),
    rule(None, "0.0.0.0/0", "all", protocol="-1"),
    rule(6379, prefix_list("pl-0fedcba9876543210"), "caches"),
)
PIPED: Final = tuple(rule(port, "10.1.0.0/16", "pipeline") for port in (5000, 5001, 5002))
PEOPLE: Final = (iam_user("ada", account=ACCOUNT), identity_center("eve@example.com", account=ACCOUNT))
MADE_HUGE: Final = 55

Facts = dict[str, str]
"""The description of each rule by its identity."""


@dataclass
class Allowed:
    """What somebody exempt did, or what was applied.

    Attributes:
        at: when.
        group_id: where.
        change: what.
        made_id: the id of the rule that it made.
        heard_at: since when the account can know it.
        is_approval: it was applied.
        is_text: it changed a description alone.
        is_by_id_alone: it removed the rule that AWS gave the group, and its event names an id alone: who has not seen
            the rule before cannot tell (docs/reliability.md, known limits).
        is_unclear: its rule is not there, and another one of the same values is; nobody can tell the two apart, because
            its event has no ids.
    """

    at: datetime
    group_id: str
    change: Change
    made_id: str = ""
    heard_at: datetime | None = None
    is_approval: bool = False
    is_text: bool = False
    is_by_id_alone: bool = False
    is_unclear: bool = False

    @property
    def opened(self) -> dict[str, str]:
        """The rules that it makes."""
        rules = (*self.change.added, *(edit.after for edit in self.change.modified))
        return {one.identity: one.description for one in rules}


@dataclass
class Waiting:
    """An event on its way."""

    event: Json
    allowed: Allowed | None = None
    early: tuple[str, str] | None = None


class BrokenError(AssertionError):
    """A story did not end as it has to."""


@dataclass
class Story:
    """One story.

    Attributes:
        log: what happened, in words.
    """

    member: MemoryMember
    account: MemoryAccount
    random: Random
    log: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    begin: dict[str, Facts] = field(default_factory=dict)
    begin_ids: dict[str, dict[str, str]] = field(default_factory=dict)
    allowed: list[Allowed] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    delivered: list[Waiting] = field(default_factory=list)
    pending: dict[str, Request] = field(default_factory=dict)
    applied: set[str] = field(default_factory=set)
    mentioned: set[tuple[str, str]] = field(default_factory=set)
    reasons: set[tuple[str, str]] = field(default_factory=set)
    touched: dict[tuple[str, str], str] = field(default_factory=dict)
    handled: set[str] = field(default_factory=set)  # ids of rules that people have made or edited

    # -- the whole -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play and judge.

        Raises:
            BrokenError: when something unapproved stayed or came, or something was not reported.
        """
        self._adopt()
        steps: list[tuple[int, Callable[[], None]]] = [
            (8, self._person_acts),
            (4, self._pipeline_acts),
            (6, self._deliver_one),
            (1, self._deliver_again),
            (2, self._approve),
            (1, self._snapshot),
            (1, self._new_group),
        ]
        chosen, weights = [step for _, step in steps], [weight for weight, _ in steps]
        for step in self.random.choices(chosen, weights, k=self.random.randint(4, 16)):
            self.member.clock.wait(seconds=self.random.choice((0, 0, 1, 40)))
            step()
        self.random.shuffle(self.waiting)
        while self.waiting:
            self._deliver(self.waiting.pop())
        for minutes in (1, 17, 17, 17):
            self.member.clock.wait(minutes=minutes)
            self._run(self.member.snapshot, "snapshot")
        self._judge()

    def _judge(self) -> None:
        for group_id in self.groups:
            live, (certain, possible) = self._live(group_id), self._approved(group_id)
            stored = self.member.baseline(group_id)  # of a new group in which nothing has happened, there is none
            baseline = live if stored is None else {one[0]: one[1] for one in self.member.approved(group_id)}
            if not certain <= live.keys() <= possible:
                raise BrokenError(
                    f"{group_id} lacks {certain - live.keys()} and must not have {live.keys() - possible}"
                )
            if baseline != live:
                raise BrokenError(f"{group_id} has {live}, its baseline is {baseline}")
            texts = {*self.begin[group_id].items()}
            texts |= {pair for one in self.allowed if one.group_id == group_id for pair in one.opened.items()}
            if live.items() - texts:
                raise BrokenError(f"nobody approved these descriptions: {live.items() - texts}")
        allowed = {(one.group_id, identity) for one in self.allowed if one.heard_at for identity in one.opened}
        silent = {key: how for key, how in self.touched.items() if not self._is_mentioned(*key) and key not in allowed}
        if silent:
            raise BrokenError(f"not reported: {silent}")

    def _is_mentioned(self, group_id: str, identity: str) -> bool:
        values = identity.partition("/")[2]
        return (group_id, identity) in self.mentioned or any(
            values in reason for where, reason in self.reasons if where == group_id
        )

    def _approved(self, group_id: str) -> tuple[set[str], set[str]]:
        """Return the identities of the rules that are approved, and of those that may count as approved.

        Where an edit was heard of and the making of its rule was not, nobody can know: asking is right as well.
        """
        facts, doubtful = set(self.begin[group_id]), set()
        some = sorted((one for one in self.allowed if one.group_id == group_id and not one.is_text), key=_when)
        heard = [one for one in some if one.heard_at]
        unheard_of = {one.made_id for one in some if one.made_id and not one.heard_at}
        held = dict(self.begin_ids[group_id])
        for one in some:
            if not one.heard_at:
                doubtful |= {edit.before.identity for edit in one.change.modified} if not one.is_approval else set()
                if one.is_unclear:
                    doubtful |= one.opened.keys() - facts
                    facts |= one.opened.keys()
                continue
            # An approval speaks of rules by what was known of them then: an edit heard of later had moved them already.
            late = [edit for other in heard if one.at < (other.heard_at or one.at) for edit in other.change.modified]
            moved = {edit.before.identity: edit.after.identity for edit in late} if one.is_approval else {}
            edits = [edit for edit in one.change.modified if one.is_approval or edit.before.rule_id not in unheard_of]
            # Of a rule never heard of nobody knows whether it is the one that was approved in its place.
            doubtful |= {edit.before.identity for edit in one.change.modified if edit not in edits} & facts
            gone = {self._held(one, rule, held) for rule in (*one.change.removed, *(edit.before for edit in edits))}
            if one.change.modified and not (edits and gone <= facts) and not one.is_approval:
                doubtful |= one.opened.keys() - facts
            else:
                doubtful -= one.opened.keys()
            gone |= {moved.get(identity, identity) for identity in gone - facts}
            doubtful -= gone
            if one.is_by_id_alone:
                doubtful |= gone & facts
                continue
            facts = facts - gone | one.opened.keys()
            if one.is_approval:  # of whatever rule is in the place
                places = {edit.before.identity: edit.after.identity for edit in one.change.modified}
                held = {rule_id: places.get(place, place) for rule_id, place in held.items()}
            else:
                held = {rule_id: place for rule_id, place in held.items() if place not in one.opened}
                held |= {edit.before.rule_id or "": edit.after.identity for edit in edits}
                held |= dict.fromkeys([one.made_id] if one.made_id else [], next(iter(one.opened), ""))
        return facts - doubtful, facts

    def _held(self, one: Allowed, rule: Rule, held: dict[str, str]) -> str:
        """Return what was approved of a rule: its id says that, whatever has been done to it unapproved."""
        return rule.identity if one.is_approval else held.get(rule.rule_id or "", rule.identity)

    def _asked(self, group_id: str, part: str) -> set[str]:
        """Return the rules of edits by the pipeline that people are being asked about.

        An edit names a rule by its id alone. Where others moved that rule before its event arrived, or the making of it
        was never heard of, nobody can know what the edit was about; the product asks then, and that is right.
        """
        some = [edit for one in self.allowed if one.group_id == group_id for edit in one.change.modified]
        edited = {rule.identity for edit in some for rule in (edit.before, edit.after)}
        requests = [one for one in self.pending.values() if one.group_id == group_id]
        return edited & {rule.identity for one in requests for rule in getattr(one.change, part)}

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _adopt(self) -> None:
        self.groups = [self.member.group_id, *(self.member.new_group() for _ in range(self.random.randint(0, 1)))]
        for group_id in self.groups:
            held = self.random.sample(GOOD, self.random.randint(0, len(GOOD)))
            if held:
                self.member.holds(*held, group_id=group_id, tags=self._tags())
        self.account.largest_group = 400
        early = self.random.random() < 0.2
        if early:
            self._person_opens(self.groups[0], [self.random.choice(WANTED)], is_early=True)
        self.member.clock.wait(seconds=5)
        self._run(self.member.snapshot, "adopted")
        for group_id in self.groups:
            self._begin(group_id)
        self.member.clock.wait(seconds=5)

    def _begin(self, group_id: str) -> None:
        self.begin[group_id] = self._live(group_id)
        self.begin_ids[group_id] = {one.rule_id or "": one.identity for one in self.member.live(group_id)}

    def _person_acts(self) -> None:
        group_id = self.random.choice(self.groups)
        person = Person(self.member, identity=self.random.choice(PEOPLE), group_id=group_id)
        live = list(self.member.live(group_id))
        there = {one.identity for one in live}
        fresh = [one for one in (*GOOD, *WANTED, *self._references(), *PIPED) if one.identity not in there]
        what = self.random.choice(("open", "open", "close", "edit", "edit", "describe", "swap", "huge", "tag"))
        if what == "open" and fresh:
            self._person_opens(group_id, self.random.sample(fresh, self.random.randint(1, min(3, len(fresh)))))
        elif what == "huge" and self.random.random() < 0.3:
            port = self.random.randrange(10_000, 50_000)
            source = self.random.choice(("0.0.0.0/0", "::/0"))
            self._person_opens(
                group_id, [rule(port + number, source, "x" * 200) for number in range(MADE_HUGE)], tags=self._tags()
            )
        elif what == "tag" and live:
            self.account.groups[group_id].rules[live[0].rule_id or ""]["Tags"] = [
                {"Key": key, "Value": value} for key, value in self._tags()
            ]
        elif what == "close" and live:
            gone = self.random.sample(live, self.random.randint(1, min(2, len(live))))
            self._send(person.closes(*gone, by_id=self.random.random() < 0.7, **self._now()), f"closes {_named(gone)}")
        elif what == "describe" and live:
            one = with_description(self.random.choice(live), f"text {self.random.randint(0, 99)}")
            call = person.describes if self.random.random() < 0.5 else person.describes_by_id
            self._handle(live, [one])
            self._send(call(one, **self._now()), f"describes {_named([one])}")
        elif what in ("edit", "swap") and live:
            self._person_edits(person, live, fresh, is_swap=what == "swap")

    def _person_edits(self, person: Person, live: list[Rule], fresh: list[Rule], *, is_swap: bool) -> None:
        one = self.random.choice(live)
        kind = [other for other in fresh if other.source.kind == one.source.kind]
        if not kind:
            return
        after = replace(self.random.choice(kind), tags=one.tags)
        self._handle(live, [one])
        self._send(person.edits((one, after), **self._now()), f"edits {one.identity} to {after.identity}")
        others = [other for other in live if other.source.kind == one.source.kind and other is not one]
        if is_swap and others:
            other = self.random.choice(others)
            self._handle(live, [other])
            self._send(person.edits((other, one), **self._now()), f"edits {other.identity} to {one.identity}")

    def _person_opens(
        self,
        group_id: str,
        rules: list[Rule],
        *,
        tags: tuple[tuple[str, str], ...] | None = None,
        is_early: bool = False,
    ) -> None:
        person = Person(self.member, identity=self.random.choice(PEOPLE), group_id=group_id)
        there = {one.identity for one in self.member.live(group_id)}
        rules = [one for one in rules if one.identity not in there]
        if not rules:
            return
        event = person.opens(*rules, tags=self._tags() if tags is None else tags, **self._now())
        self.handled |= {one.rule_id or "" for one in self.member.live(group_id) if one.identity not in there}
        early = (group_id, rules[0].identity) if is_early else None
        self._send(event, f"opens {_named(rules)} in {group_id}", early=early)

    def _pipeline_acts(self) -> None:
        group_id = self.random.choice(self.groups)
        person = Person(self.member, identity=assumed_role("pipeline", "build-9", account=ACCOUNT), group_id=group_id)
        live = list(self.member.live(group_id))
        # What people have touched is left alone: whose rule that is then, nobody could say.
        own = [one for one in live if one.rule_id not in self.handled]
        there = {one.identity for one in live}
        fresh = [one for one in (*PIPED, *GOOD) if one.identity not in there]
        what = self.random.choice(("open", "open", "close", "edit", "describe"))
        self.member.clock.wait(seconds=1)
        moment = self._now()
        if what == "open" and fresh:
            one = self.random.choice(fresh)
            event, before, after = person.opens(one, tags=self._tags(), **moment), None, one
        elif what == "close" and own:
            one = self.random.choice(own)
            event, before, after = person.closes(one, by_id=self.random.random() < 0.7, **moment), one, None
        elif what == "edit" and own:
            one = self.random.choice(own)
            kind = [other for other in fresh if other.source.kind == one.source.kind]
            if not kind:
                return
            after = replace(self.random.choice(kind), tags=one.tags)
            event, before = person.edits((one, after), **moment), one
        elif what == "describe" and own:
            before = self.random.choice(own)
            after = with_description(before, f"pipeline {self.random.randint(0, 99)}")
            event = person.describes(after, **moment)
        else:
            return
        made_id = _id_of(after, self.member.live(group_id)) if after and what == "open" else ""
        change = _change(before, after)
        step = Allowed(self.member.clock.now, group_id, change, made_id=made_id, is_text=what == "describe")
        self.allowed.append(step)
        self._send(event, f"pipeline: {what} {_named([one for one in (before, after) if one])}", allowed=step)
        self.member.clock.wait(seconds=1)

    def _new_group(self) -> None:
        name = self.random.choice(("default", f"new-{len(self.groups)}"))
        group_id = self.account.new_group(name)
        self.groups.append(group_id)
        self._begin(group_id)
        self.log.append(f"new group {group_id} {name}")
        if name != "default":
            answer = {"groupId": group_id, "_return": True}
            parameters = {"groupName": name, "groupDescription": "x"}
            event = Person(self.member).event("CreateSecurityGroup", parameters, answer, **self._now())
            self._send(event, f"creates {group_id}")

    def _deliver_one(self) -> None:
        if self.waiting:
            self._deliver(self.waiting.pop(self.random.randrange(len(self.waiting))))

    def _deliver_again(self) -> None:
        if self.delivered:
            self._deliver(self.random.choice(self.delivered))

    def _approve(self) -> None:
        if not self.pending:
            return
        request = self.random.choice(list(self.pending.values()))
        self.member.clock.wait(seconds=1)
        step = Allowed(self.member.clock.now, request.group_id, request.change, is_approval=True)
        self.allowed.append(step)
        for _ in range(self.random.choice((1, 1, 2))):
            self._run(lambda: self.member.approve(request), f"approve {request.request_id}", [step])
        step.heard_at = self.member.clock.now if request.request_id in self.applied else None
        self.pending.pop(request.request_id, None)
        self.member.clock.wait(seconds=1)

    def _snapshot(self) -> None:
        self.member.clock.wait(minutes=self.random.choice((1, 8, 20)))
        self._run(self.member.snapshot, "snapshot")

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _references(self) -> tuple[Rule, ...]:
        return tuple(rule(6443, group(one, account=ACCOUNT), "peers") for one in self.groups[:2])

    def _tags(self) -> tuple[tuple[str, str], ...]:
        if self.random.random() < 0.03:
            letters = [chr(self.random.randrange(0x4E00, 0x9FA5)) for _ in range(384)]
            return tuple((f"{number}" + "".join(letters[:126]), "".join(letters[128:])) for number in range(50))
        return (("team", self.random.choice(("shop", "payments"))),) if self.random.random() < 0.3 else ()

    def _now(self) -> dict[str, str]:
        return {"eventTime": at(self.member.clock.now)}

    def _handle(self, live: list[Rule], rules: list[Rule]) -> None:
        touched = {one.identity for one in rules}
        self.handled |= {one.rule_id or "" for one in live if one.identity in touched}

    def _send(
        self, event: Json, text: str, *, allowed: Allowed | None = None, early: tuple[str, str] | None = None
    ) -> None:
        """Let something happen to an event on its way."""
        detail = event["detail"]
        fates = ["whole"] * 10 + ["lost", "omitted", "answer omitted", "request omitted"]
        fates += [] if allowed or early else ["lost", "omitted", "unreadable", "unreadable"]
        fate = self.random.choice(fates)
        if fate in ("omitted", "request omitted"):
            detail["requestParameters"] = dict(OMITTED)
        if fate in ("omitted", "answer omitted"):
            detail["responseElements"] = dict(OMITTED)
        if fate == "unreadable":
            _damage(detail, self.random)
        if allowed is not None:
            is_own = any(rule.source.value == allowed.group_id for rule in allowed.change.removed)
            is_by_id = "securityGroupRuleIds" in str(detail["requestParameters"])
            allowed.is_by_id_alone = fate == "answer omitted" and is_own and is_by_id
        self.log.append(f"{text} ({fate})")
        if fate != "lost":
            one = Waiting(event, allowed if allowed and _says_what(detail, fate) else None, early)
            if fate == "omitted":
                one.early = None
            self.waiting += [one] * self.random.choice((1, 1, 1, 2))

    def _deliver(self, one: Waiting) -> None:
        if one.allowed is not None and self._is_clear(one):
            one.allowed.heard_at = one.allowed.heard_at or self.member.clock.now
        if one.early is not None:
            group_id, identity = one.early
            self.begin[group_id].pop(identity, None)
        self.delivered.append(one)
        text = f"deliver {one.event['detail']['eventName']} {one.event['detail']['requestID'][:8]}"
        self._run(lambda: self.member.deliver(one.event), text)

    def _is_clear(self, one: Waiting) -> bool:
        """False for an opening without EC2's answer whose rule is not there: it may have been removed since."""
        answer, allowed = one.event["detail"]["responseElements"], one.allowed
        if allowed is None or not allowed.made_id or answer != OMITTED:
            return True
        (made,) = allowed.change.added
        found = _id_of(made, self.member.live(allowed.group_id))
        allowed.is_unclear |= found not in ("", allowed.made_id)
        return found == allowed.made_id

    def _run(self, run: Callable[[], object], text: str, may_open: list[Allowed] | None = None) -> None:
        """Let the product run, and note what it changed and said."""
        before = {group_id: self._live(group_id) for group_id in self.groups}
        self.log.append(text)
        run()
        reported = set()
        for message in self.member.told():
            if isinstance(message, RequestMessage):
                request = message.request
                reported.add(request.group_id)
                if request.status == "pending" and request.request_id not in self.applied:
                    self.pending.setdefault(request.request_id, request)
                self.reasons.add((request.group_id, request.reason))
                self.mentioned |= {(request.group_id, one.identity) for one in all_rules(request.change)}
            elif isinstance(message, AppliedMessage):
                self.applied.add(message.request_id)
        heard = [*(one for one in self.allowed if one.heard_at), *(may_open or ())]
        for group_id in self.groups:
            after = self._live(group_id)
            for identity in (before[group_id].keys() ^ after.keys()) if group_id not in reported else ():
                self.touched.setdefault((group_id, identity), text)
            opened = after.keys() - before[group_id].keys() - self.begin.get(group_id, {}).keys()
            allowed = {identity for one in heard if one.group_id == group_id for identity in one.opened}
            opened -= allowed
            if opened:
                raise BrokenError(f"the product opened {opened} in {group_id}")

    def _live(self, group_id: str) -> Facts:
        rules = (rule_from_api(one, ACCOUNT) for one in self.account.groups[group_id].rules.values())
        return {one.identity: one.description for one in rules if one.direction == "ingress"}


def _change(before: Rule | None, after: Rule | None) -> Change:
    if before is not None and after is not None:
        return make_change(modified=[Modification(before=before, after=after)])
    return make_change(added=[after] if after else [], removed=[before] if before else [])


def _id_of(rule: Rule, live: Iterable[Rule]) -> str:
    """Return the id of the rule that is in this place."""
    return next((one.rule_id or "" for one in live if one.identity == rule.identity), "")


def _when(one: Allowed) -> datetime:
    return one.at


def all_rules(change: Change) -> Iterator[Rule]:
    """Yield every rule that a change names."""
    yield from (*change.added, *change.removed)
    for edit in change.modified:
        yield from (edit.before, edit.after)


def _says_what(detail: Json, fate: str) -> bool:
    """True when the event of an allowed call says what it did."""
    if fate == "omitted":
        return False
    name = detail["eventName"]
    return fate != "request omitted" or name.startswith(("Authorize", "Revoke"))


def _damage(detail: Json, random: Random) -> None:
    """Make part of an event unreadable."""
    key = random.choice(("requestParameters", "responseElements", "both"))
    for one in ("requestParameters", "responseElements") if key == "both" else (key,):
        if random.random() < 0.5:
            detail[one] = random.choice((None, "", "text", {}, [], 7))
        else:
            _damage_deep(detail[one], random)


def _damage_deep(value: Any, random: Random) -> None:
    names = {"cidrIp", "cidrIpv4", "CidrIpv4", "cidrIpv6", "fromPort", "FromPort", "ipProtocol", "securityGroupRuleId"}
    if isinstance(value, dict):
        for key, one in value.items():
            if key in names:
                value[key] = random.choice(("010.0.0.1/08", None, {"x": 1}, "carrier pigeon"))
            else:
                _damage_deep(one, random)
    elif isinstance(value, list):
        for one in value:
            _damage_deep(one, random)


def _named(rules: list[Rule]) -> str:
    return ", ".join(one.identity for one in rules[:3])


# -- running many ------------------------------------------------------------------------------------------------------


@contextmanager
def product(policy: str = POLICY) -> Iterator[Callable[[], tuple[MemoryMember, MemoryAccount]]]:
    """Yield a function that makes a new account with the member app in it; several may follow each other."""
    settings = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "centralAccountId": ACCOUNT,
        "centralRegion": REGION,
        "accountName": "payments",
        "ownRoleArn": f"arn:aws:iam::{ACCOUNT}:role/member-dev",
    }
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, redirect_stdout(_Nowhere()):
        for name, value in settings.items():
            patch.setenv(name, value)
        for name in ("AWS_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "modeOverride"):
            patch.delenv(name, raising=False)
        path = Path(folder) / "policy.toml"
        path.write_text(policy)
        patch.setenv("policyFile", str(path))
        from chalice.test import Client

        import member.app
        from member.chalicelib import context
        from shared.telemetry import logger

        level = logger.log_level
        logger.setLevel(logging.CRITICAL)
        environ = os.environ
        try:
            with Client(member.app.app) as client:
                yield lambda: memory_member(client.lambda_, lambda name, value: patch.setattr(context, name, value))
        finally:
            os.environ = environ  # noqa: B003 - Chalice's client swaps it; threads that invoke at once leave a copy
            logger.setLevel(level)


class _Nowhere:
    """Takes what the product writes as metrics."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def play(seed: int, begin: Callable[[], tuple[MemoryMember, MemoryAccount]]) -> str:
    """Play one story; return what is wrong with it, with all that happened, or an empty text."""
    member, account = begin()
    with account.installed():
        story = Story(member=member, account=account, random=Random(seed))
        try:
            story.play()
        except (BrokenError, ClientError, Exception) as error:  # noqa: BLE001 - whatever it is, the story is told
            lines = "\n  ".join(story.log)
            return f"seed {seed}: {type(error).__name__}: {error}\n  {lines}"
    return ""


def play_many(seeds: range, seconds: float = 0.0) -> tuple[int, list[str]]:
    """Play stories; return how many were played and which are broken."""
    end = time.monotonic() + seconds if seconds else float("inf")
    broken, played = [], 0
    with product() as begin:
        for seed in seeds:
            if time.monotonic() > end:
                break
            played += 1
            wrong = play(seed, begin)
            broken += [wrong] if wrong else []
    return played, broken


def main() -> int:
    """Play stories in several processes."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack.stories", description=__doc__.split("\n")[0])
    parser.add_argument("--number", type=int, default=10_000, help="how many stories")
    parser.add_argument("--seed", type=int, default=None, help="of the first one; the time when left out")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--shown", type=int, default=5, help="how many broken stories are printed")
    chosen = parser.parse_args()
    first = int(time.time()) * 1000 if chosen.seed is None else chosen.seed
    began, size = time.monotonic(), max(1, min(500, chosen.number // chosen.jobs))
    parts = [
        range(start, min(start + size, first + chosen.number)) for start in range(first, first + chosen.number, size)
    ]
    print(f"{chosen.number} stories from seed {first}")
    played, broken = 0, []
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for number, wrong in pool.map(play_many, parts):
            played += number
            broken += wrong
            print(f"{played} played, {len(broken)} broken", file=sys.stderr)
    print("\n\n".join(broken[: chosen.shown]))
    rate = played / (time.monotonic() - began)
    print(f"{played} stories from seed {first}, {len(broken)} broken, {rate:.0f} a second")
    return 1 if broken else 0


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    sys.exit(main())
