"""Each policy key that a member account obeys, end to end, the key in the test's name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from member.chalicelib.snapshot import SnapshotError
from shared.domain.rule import Rule
from shared.wire.messages import RequestMessage
from tests.support import events
from tests.support.member_account import ACCOUNT, Member, Person, exact, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule(22, "0.0.0.0/0", "open")
WEB = rule(443, "10.0.0.0/8", "web")
Use = Callable[[str], None]


def test_key_mode_observe_changes_nothing_and_reports(member: Member, ada: Person, policy: Use) -> None:
    """`mode = "observe"`: each change stays, is reported as observed, and is approved when enforcing begins."""
    policy('mode = "observe"')
    member.holds(WEB)
    member.snapshot()
    edited = rule(444, "10.0.0.0/8", "web")
    changes: list[tuple[Callable[[], events.Json], list[Rule]]] = [
        (lambda: ada.opens(OPEN), [OPEN, WEB]),
        (lambda: ada.edits((WEB, edited)), [OPEN, edited]),
        (lambda: ada.closes(OPEN), [edited]),
    ]
    for change, wanted in changes:
        event = change()
        member.deliver(event)
        assert member.state() == member.approved() == exact(wanted)
        request = member.told_request()
        assert (request.status, request.change.is_empty) == ("observed", False)
        assert "observe mode" in request.reason
        member.deliver(event)
        assert member.told_request() == request
    assert member.state() == member.approved() == exact([edited])

    policy('mode = "enforce"')
    member.snapshot(after=timedelta(hours=1))
    assert member.told() == []
    assert member.state() == exact([edited])


def test_key_mode_an_event_redelivered_after_enforcing_began_undoes_nothing(
    member: Member, ada: Person, policy: Use
) -> None:
    """`mode`: what was allowed while observing was allowed, whenever its event comes again."""
    policy('mode = "observe"')
    member.snapshot()
    event = ada.opens(OPEN)
    member.deliver(event)
    member.told()
    policy('mode = "enforce"')
    member.deliver(event)
    assert member.state() == exact([OPEN])


def test_setting_mode_override_switches_to_observing(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emergency switch: nothing is reverted while it is set."""
    member.snapshot()
    monkeypatch.setenv("modeOverride", "observe")
    member.deliver(ada.opens(OPEN))
    assert member.told_request().status == "observed"
    assert member.state() == exact([OPEN])


@pytest.mark.parametrize("kind", ["add", "modify", "remove"])
def test_key_guard_reverts_only_the_listed_kinds(member: Member, ada: Person, policy: Use, kind: str) -> None:
    """`guard`: the listed kind is reverted, the others are allowed and shown."""
    policy(f'guard = ["{kind}"]')
    some = {"add": OPEN, "modify": WEB, "remove": rule(80, "10.0.0.0/8", "old")}
    member.holds(some["modify"], some["remove"])
    member.snapshot()
    changes = {
        "add": ada.opens(some["add"]),
        "modify": ada.edits((some["modify"], rule(444, "10.0.0.0/8", "web"))),
        "remove": ada.closes(some["remove"]),
    }
    for name, event in changes.items():
        member.deliver(event)
        request = member.told_request()
        assert request.status == ("pending" if name == kind else "observed"), request.reason
        assert ("policy key guard" in request.reason) == (name != kind)
    assert (some["add"].identity in [one.identity for one in member.live()]) == (kind != "add")
    assert (some["modify"].identity in [one.identity for one in member.live()]) == (kind == "modify")
    assert (some["remove"].identity in [one.identity for one in member.live()]) == (kind == "remove")
    assert member.state() == member.approved()


def test_key_require_description_denies_at_once(member: Member, ada: Person, policy: Use) -> None:
    """`require_description`: an addition without one is closed and denied by policy; it cannot be applied."""
    policy("require_description = true")
    member.snapshot()
    member.deliver(ada.opens(rule(22), rule(23, description="telnet, sadly")))
    request = member.told_request()
    assert (request.status, member.state()) == ("denied", [])
    assert "require_description" in request.reason
    member.approve(request)
    assert member.told_error().code == "NotApplicable"
    assert member.state() == []
    member.deliver(ada.opens(OPEN))
    assert member.told_request().status == "pending"


def test_key_directions_guards_egress_too(member: Member, ada: Person, policy: Use) -> None:
    """`directions`: with egress listed, an outbound rule is closed; an inbound one no longer, when it is not listed."""
    policy('directions = ["egress"]')
    member.snapshot()
    out = rule(25, "0.0.0.0/0", "mail", direction="egress")
    member.deliver(ada.opens(out), ada.opens(OPEN))
    request = member.told_request()
    assert request.change.added == (out,)
    assert out.identity not in [one.identity for one in member.live(direction="egress")]
    assert member.state() == exact([OPEN])


def test_key_directions_without_a_direction_forgets_it_and_says_so(member: Member, policy: Use) -> None:
    """`directions`: what is approved of a direction that is no longer listed is forgotten, which is reported once."""
    policy('directions = ["ingress", "egress"]')
    member.snapshot()
    member.told()
    policy('directions = ["ingress"]')
    member.snapshot()
    member.snapshot()
    (told,) = [one.request for one in member.told() if isinstance(one, RequestMessage)]
    assert (told.event_name, told.status) == ("DirectionNotGuarded", "observed")
    assert "egress" in told.reason


def test_key_exempt_groups_leaves_a_group_alone(member: Member, ada: Person, policy: Use) -> None:
    """`exempt.groups`: its changes stay and become part of the baseline; other groups are guarded as ever."""
    other = member.new_group()
    policy(f'[exempt]\ngroups = ["{member.group_id[:-1]}*"]')
    member.snapshot()
    member.deliver(ada.opens(OPEN), Person(member, group_id=other).opens(OPEN))
    assert member.state() == member.approved() == exact([OPEN])
    assert member.state(other) == []
    assert member.told_request().group_id == other


def test_key_accounts_replaces_the_general_value(member: Member, ada: Person, policy: Use) -> None:
    """`[accounts."…"]`: the key set for this account counts, the others stay general."""
    policy(f'mode = "observe"\nrequire_description = true\n[accounts."{ACCOUNT}"]\nmode = "enforce"')
    member.snapshot()
    member.deliver(ada.opens(rule(22)))
    assert (member.told_request().status, member.state()) == ("denied", [])


def test_key_drift_report_shows_a_difference_and_leaves_it(member: Member, policy: Use) -> None:
    """`drift = "report"`: a difference without an event is reported once, as observed."""
    policy('drift = "report"')
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    for _ in range(2):
        member.snapshot(after=timedelta(minutes=16))
    request = member.told_request()
    assert (request.status, request.origin, request.requester) == ("observed", "snapshot", None)
    assert member.state() == exact([OPEN])


def test_key_drift_grace_minutes_gives_a_late_event_time(member: Member, policy: Use) -> None:
    """`drift_grace_minutes`: a difference may stay for so long before it is reverted."""
    policy("drift_grace_minutes = 120")
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    member.snapshot(after=timedelta(minutes=119))
    assert (member.state(), member.told()) == (exact([OPEN]), [])
    member.snapshot(after=timedelta(minutes=121))
    assert member.state() == []
    assert member.told_request().status == "pending"


BROKEN = 'moood = "observe"'


def test_without_a_usable_policy_changes_are_reverted_and_asked(
    member: Member, ada: Person, policy: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is exempt and every kind of change is reverted; only the emergency switch still holds."""
    some = f'guard = []\n[exempt]\nprincipals = ["*"]\n[accounts."{ACCOUNT}"]\nmode = "observe"\n'
    member.holds(WEB)
    member.snapshot()
    policy(some + BROKEN)
    edited = rule(444, "10.0.0.0/8", "web")
    for change in (lambda: ada.opens(OPEN), lambda: ada.edits((WEB, edited)), lambda: ada.closes(WEB)):
        member.deliver(change())
        assert member.state() == member.approved() == exact([WEB])
        assert member.told_request().status == "pending"
    monkeypatch.setenv("modeOverride", "observe")
    member.deliver(ada.opens(OPEN))
    assert member.told_request().status == "observed"
    assert member.state() == member.approved() == exact([OPEN, WEB])


def test_without_a_usable_policy_a_call_without_details_is_reverted(member: Member, ada: Person, policy: Use) -> None:
    """All groups are compared with their baselines; a new group starts with the rules that AWS gives it."""
    member.snapshot()
    policy(BROKEN)
    other = member.new_group()
    member.holds(WEB, group_id=other)
    event = ada.opens(OPEN)
    event["detail"]["requestParameters"] = event["detail"]["responseElements"] = {"omitted": True}
    member.deliver(event)
    assert member.state() == member.state(other) == []
    asked = [one.request for one in member.told() if isinstance(one, RequestMessage)]
    assert {one.identity for request in asked for one in request.change.added} == {OPEN.identity, WEB.identity}
    assert member.approved(other) == []


def test_without_a_usable_policy_snapshots_change_nothing(member: Member, policy: Use) -> None:
    """They accept and revert nothing, and fail so that operators hear of it; then they go on as before."""
    member.holds(WEB)
    member.snapshot()
    policy(BROKEN)
    member.holds(OPEN)
    other = member.new_group()
    member.holds(OPEN, group_id=other)
    for hours in (0, 1, 2):
        with pytest.raises(SnapshotError, match="moood"):
            member.snapshot(after=timedelta(hours=hours))
    assert (member.state(), member.approved(), member.told()) == (exact([OPEN, WEB]), exact([WEB]), [])
    assert member.baseline(other) is None
    policy("")
    member.snapshot(after=timedelta(hours=3))
    member.snapshot(after=timedelta(hours=4))
    assert member.state() == exact([WEB])


def test_key_exempt_service_linked_roles_are_reported_and_others_reverted(member: Member, policy: Use) -> None:
    """`exempt.service_linked_roles`: a listed service's change stays and is reported; others are reverted."""
    balancer = Person(member, identity=events.service_linked(account=ACCOUNT))
    member.snapshot()
    policy('[exempt]\nservice_linked_roles = ["elasticloadbalancing"]')
    member.deliver(balancer.opens(OPEN))
    request = member.told_request()
    assert (request.status, request.change.added) == ("observed", (OPEN,))
    assert "elasticloadbalancing" in request.reason
    assert member.state() == member.approved() == exact([OPEN])
    policy('[exempt]\nservice_linked_roles = ["ec2"]')
    member.deliver(balancer.opens(WEB))
    assert member.told_request().status == "pending"
    assert member.state() == member.approved() == exact([OPEN])


def test_descriptions_count_as_modifications(member: Member, ada: Person, policy: Use) -> None:
    """`guard` without `modify` lets descriptions pass as it lets edits pass."""
    policy('guard = ["add", "remove"]')
    member.holds(WEB)
    member.snapshot()
    member.deliver(ada.describes(with_description(WEB, "other")))
    assert member.told_request().status == "observed"
    assert member.state() == member.approved() == exact([with_description(WEB, "other")])
