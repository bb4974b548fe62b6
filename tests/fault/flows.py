"""Every flow of the product: the state it starts from, and the end it must come to, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from shared.domain.request import Status
from shared.domain.rule import Rule
from tests.fault import scenes
from tests.fault.accounts import POLICY, Facts, facts
from tests.fault.scenes import (
    BASE,
    DESCRIBED,
    MOVED,
    SSH,
    SWAPPED,
    TAGGED,
    TELNET,
    WEB,
    Play,
    asked,
    clicks,
    rule,
    sweeps,
    then_all,
)
from tests.fault.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How one request has to end.

    Attributes:
        path: every status it went through, in order; the last one is where it stands.
        ledger: the outcome in the member's ledger.
        by: who decided, where somebody did.
    """

    path: tuple[Status, ...]
    ledger: str
    by: str = ""

    @property
    def status(self) -> Status:
        """Where it stands."""
        return self.path[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a flow has to end.

    Attributes:
        rules: the group's inbound rules; ``None`` when the group is gone.
        stories: of every request there is.
        approved: the baseline's inbound rules, where they are not the group's.
        is_forgotten: a group that is gone has no baseline any more. One whose deletion nobody heard of keeps it: EC2
            gives no id twice, so nobody will ever read it, and finding it would take a scan.
    """

    rules: Facts | None
    stories: tuple[Story, ...] = ()
    approved: Facts | None = None
    is_forgotten: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One flow.

    Attributes:
        name: for people.
        prepare: brings the world to where the flow starts, and returns the group; nothing fails here.
        play: the flow itself; what is called here can fail.
        end: how it has to end.
        policy: the policy's text.
        settings: environment variables of both apps that differ from the usual ones.
    """

    name: str
    prepare: Callable[[World], str]
    play: Play
    end: End
    policy: str = POLICY
    settings: dict[str, str] = field(default_factory=dict)


PENDING = Story(path=("pending",), ledger="reverted")
APPROVED = Story(path=("pending", "approved", "applied"), ledger="applied", by="U061F7AUR")


def ends(rules: Iterable[Rule], *stories: Story, approved: Iterable[Rule] | None = None) -> End:
    """Return an end."""
    return End(rules=facts(rules), stories=stories, approved=None if approved is None else facts(approved))


_DENIED_BY_POLICY = Story(path=("denied",), ledger="denied", by="policy")
_OBSERVED = Story(path=("observed",), ledger="observed")
_DENIED = Story(path=("pending", "denied"), ledger="reverted", by="U061F7AUR")
_EXPIRED = Story(path=("pending", "expired"), ledger="reverted")
_FAILED = Story(path=("pending", "approved", "error"), ledger="error", by="U061F7AUR")


_ADDED = (*BASE, SSH, TELNET)
_UNDESCRIBED = 'require_description = true\n[exempt]\nprincipals = ["arn:aws:iam::*:role/ci-deploy"]\n'
_FOUR_EYES = """
allow_self_approval = false
[people]
"arn:aws:iam::*:user/ada" = "U0ADA"
[exempt]
principals = ["arn:aws:iam::*:role/ci-deploy"]
"""
_ASKS = f"""ask_by_dry_run = true
{POLICY}
[people]
"arn:aws:iam::*:user/ada" = "U0ADA"
"""
_REPORTED = 'drift = "report"\n' + POLICY

FLOWS: tuple[Flow, ...] = (
    Flow(name="add", prepare=scenes.guarded, play=then_all(scenes.adds), end=ends(BASE, PENDING)),
    Flow(
        name="add, no rule ids", prepare=scenes.guarded, play=then_all(scenes.without_answer), end=ends(BASE, PENDING)
    ),
    Flow(name="add, omitted event", prepare=scenes.guarded, play=then_all(scenes.omitted), end=ends(BASE, PENDING)),
    Flow(name="add, unknown group", prepare=scenes.unlearned, play=then_all(scenes.adds), end=ends(BASE, PENDING)),
    Flow(name="remove", prepare=scenes.guarded, play=then_all(scenes.removes), end=ends(BASE, PENDING)),
    Flow(name="modify", prepare=scenes.guarded, play=then_all(scenes.edits), end=ends(BASE, PENDING)),
    Flow(
        name="remove, two calls to restore",
        prepare=scenes.with_tags,
        play=then_all(scenes.removes_tagged),
        end=ends((*BASE, TAGGED), PENDING),
    ),
    Flow(
        name="modify, into another's place",
        prepare=scenes.guarded,
        play=then_all(scenes.swaps),
        end=ends(BASE, PENDING),
    ),
    Flow(name="describe", prepare=scenes.guarded, play=then_all(scenes.describes), end=ends(BASE, PENDING)),
    Flow(
        name="modify, unknown group",
        prepare=scenes.unlearned,
        play=then_all(scenes.edits),
        end=ends((WEB,), PENDING),
    ),
    Flow(
        name="denied by policy",
        prepare=scenes.guarded,
        play=then_all(scenes.adds),
        end=ends(BASE, _DENIED_BY_POLICY),
        policy=_UNDESCRIBED,
    ),
    Flow(
        name="exempt",
        prepare=scenes.guarded,
        play=then_all(lambda world, group: world.accounts.pipeline.opens(group, SSH, TELNET)),
        end=ends(_ADDED),
    ),
    Flow(
        name="observe mode",
        prepare=scenes.guarded,
        play=then_all(scenes.adds),
        end=ends(_ADDED, _OBSERVED),
        settings={"modeOverride": "observe"},
    ),
    Flow(name="new group", prepare=scenes.guarded, play=then_all(scenes.makes_group), end=ends(BASE, PENDING)),
    Flow(
        name="deleted group",
        prepare=scenes.guarded,
        play=then_all(scenes.deletes_group),
        end=End(rules=None, stories=(_OBSERVED,)),
    ),
    Flow(name="approve add", prepare=asked(scenes.adds), play=clicks("approve"), end=ends(_ADDED, APPROVED)),
    Flow(name="approve remove", prepare=asked(scenes.removes), play=clicks("approve"), end=ends((WEB,), APPROVED)),
    Flow(name="approve modify", prepare=asked(scenes.edits), play=clicks("approve"), end=ends((MOVED, WEB), APPROVED)),
    Flow(
        name="approve modify, into another's place",
        prepare=asked(scenes.swaps),
        play=clicks("approve"),
        end=ends((MOVED, SWAPPED), APPROVED),
    ),
    Flow(
        name="approve describe",
        prepare=asked(scenes.describes),
        play=clicks("approve"),
        end=ends((DESCRIBED, WEB), APPROVED),
    ),
    Flow(
        name="approve, four eyes",
        prepare=asked(scenes.adds),
        play=clicks("approve"),
        end=ends(_ADDED, APPROVED),
        policy=_FOUR_EYES,
    ),
    Flow(name="ask", prepare=scenes.guarded, play=then_all(scenes.asks_first), end=ends(BASE, PENDING), policy=_ASKS),
    Flow(
        name="approve ask",
        prepare=asked(scenes.asks_first),
        play=clicks("approve"),
        end=ends(_ADDED, APPROVED),
        policy=_ASKS,
    ),
    Flow(
        name="ask again",
        prepare=asked(scenes.asks_first),
        play=then_all(scenes.asks_first),
        end=ends(BASE, PENDING, PENDING),
        policy=_ASKS,
    ),
    Flow(name="deny", prepare=asked(scenes.adds), play=clicks("deny"), end=ends(BASE, _DENIED)),
    Flow(
        name="error",
        prepare=scenes.duplicated,
        play=clicks("approve"),
        end=ends((*BASE, replace(SSH, description="the pipeline's")), _FAILED),
    ),
    Flow(name="fight", prepare=scenes.fought(2), play=then_all(scenes.adds), end=ends(BASE, *[PENDING] * 3)),
    Flow(
        name="fight ends",
        prepare=scenes.fought(3, decided="deny"),
        play=sweeps(minutes=0),
        end=ends(BASE, _DENIED, _DENIED, PENDING),
    ),
    Flow(name="click, expired", prepare=scenes.aged(hours=73), play=clicks("approve"), end=ends(BASE, _EXPIRED)),
    Flow(name="sweep asks", prepare=scenes.unasked, play=sweeps(minutes=6), end=ends(BASE, PENDING)),
    Flow(name="sweep dispatches", prepare=scenes.undispatched, play=sweeps(minutes=6), end=ends(_ADDED, APPROVED)),
    Flow(name="sweep reminds", prepare=scenes.aged(hours=5), play=sweeps(minutes=0), end=ends(BASE, PENDING)),
    Flow(name="sweep expires", prepare=scenes.aged(hours=73), play=sweeps(minutes=0), end=ends(BASE, _EXPIRED)),
    Flow(name="snapshot learns", prepare=scenes.unlearned, play=scenes.snapshots, end=ends(BASE)),
    Flow(
        name="snapshot, drift",
        prepare=scenes.unnoticed,
        play=scenes.snapshots,
        end=ends((*BASE, rule(25, "mail")), PENDING),
    ),
    Flow(
        name="snapshot, reported",
        prepare=scenes.unnoticed,
        play=scenes.snapshots,
        end=ends((MOVED, SSH, TELNET, rule(25, "mail")), _OBSERVED, approved=(*BASE, rule(25, "mail"))),
        policy=_REPORTED,
    ),
)
