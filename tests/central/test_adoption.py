"""A region was adopted: stored per member, announced once, and reported in both channels when it happens again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.audit.listing import Wanted, listed
from central.chalicelib.requests.table import RequestsTable
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.wire.messages import AdoptedMessage, MessageError
from tests.support.central_account import ACCOUNT, Central, make_request
from tests.support.slack_stand_in import APPROVAL, MONITORING, Reply

FIRST = datetime(2026, 10, 1, 12, tzinfo=UTC)
AGAIN = FIRST + timedelta(days=3)
MEMBER = f"member#{ACCOUNT}#eu-west-1"
DOWN = Reply(status=503)


def adopted(at: datetime = FIRST, *, direction: Any = "ingress", **values: Any) -> AdoptedMessage:
    """Return the message of a member."""
    defaults: dict[str, Any] = {
        "account": ACCOUNT,
        "account_name": "payments",
        "region": "eu-west-1",
        "adopted_at": ((direction, at),),
        "groups": 12,
    }
    return AdoptedMessage(**(defaults | values))


def messages(central: Central) -> tuple[int, int]:
    """Return how many messages the approval and the monitoring channel have."""
    return len(central.approval), len(central.monitoring)


def test_the_first_adoption_is_stored_and_announced_in_monitoring(central: Central) -> None:
    """What could not be stored is named; nobody has to decide anything."""
    central.deliver(adopted(not_stored=("sg-1", "sg-2")))
    item = central.item(MEMBER)
    assert (item["status"], item["adoptedAt"]) == ("member", {"ingress": "2026-10-01T12:00:00.000Z"})
    assert datetime.now(UTC) - datetime.fromisoformat(item["requestedAt"]) < timedelta(minutes=1)
    assert messages(central) == (0, 1)
    (post,) = central.monitoring
    assert "Region adopted" in post.text
    assert "12 security groups" in post.text
    assert "sg-1, sg-2" in post.text
    assert '"actions"' not in post.text


@pytest.mark.parametrize(
    ("groups", "words"), [(1, "in its 1 security group count"), (2, "in its 2 security groups count")]
)
def test_an_adoption_counts_the_groups(central: Central, groups: int, words: str) -> None:
    """A region that nobody uses has one group, the default one."""
    central.deliver(adopted(groups=groups))
    assert words in central.monitoring[0].text


def test_the_same_adoption_again_is_no_news(central: Central) -> None:
    """SNS delivers at least once; a dead letter may be redriven days later."""
    for _ in range(3):
        central.deliver(adopted())
    assert messages(central) == (0, 1)


def test_a_second_adoption_is_reported_in_both_channels_once(central: Central) -> None:
    """Whoever deletes the member's state has everything in force approved; that must not pass unseen."""
    central.deliver(adopted())
    central.slack.forget()
    central.deliver(adopted(AGAIN))
    central.deliver(adopted(AGAIN))
    central.deliver(adopted(FIRST))
    assert messages(central) == (1, 1)
    for post in (*central.approval, *central.monitoring):
        assert "Warning: region adopted again" in post.text
        assert "every rule in force there now counts as approved" in post.text
        assert "somebody deleted the product's state" in post.text
    assert central.item(MEMBER)["adoptedAt"] == {"ingress": "2026-10-04T12:00:00.000Z"}


def test_a_second_adoption_that_arrives_first_is_reported_nevertheless(central: Central) -> None:
    """Order is not certain; two adoptions are two."""
    central.deliver(adopted(AGAIN))
    central.deliver(adopted(FIRST))
    assert messages(central) == (1, 2)
    assert central.item(MEMBER)["adoptedAt"] == {"ingress": "2026-10-04T12:00:00.000Z"}


def test_another_direction_account_or_region_is_a_first_adoption(central: Central) -> None:
    """Guarding egress later on adopts egress, and leaves what is known of ingress."""
    central.deliver(adopted())
    central.deliver(adopted(AGAIN, direction="egress"))
    central.deliver(adopted(AGAIN, account="222222222222"))
    central.deliver(adopted(AGAIN, region="eusc-de-east-1"))
    assert messages(central) == (0, 4)
    assert central.item(MEMBER)["adoptedAt"].keys() == {"ingress", "egress"}


@pytest.mark.parametrize("closed", [APPROVAL, MONITORING])
def test_a_warning_that_slack_did_not_accept_is_posted_later(central: Central, closed: str) -> None:
    """A notice is a stored request: the sweep posts what is pending, whatever the delivery did."""
    central.deliver(adopted())
    central.slack.always[closed] = DOWN
    central.deliver(adopted(AGAIN))
    central.slack.always.clear()
    central.slack.forget()
    central.sweep(minutes=6)
    assert len(central.slack.to(closed)) == 1
    assert len(central.slack.posts) == 1


def test_a_warning_is_kept_when_the_webhook_is_dead(central: Central) -> None:
    """The adoption counts as known although its delivery failed: the next one is a second one."""
    central.slack.always[MONITORING] = Reply(status=404, body="no_service")
    with pytest.raises(RuntimeError, match="no_service"):
        central.deliver(adopted())
    central.slack.always.clear()
    central.deliver(adopted(AGAIN))
    assert "Warning: region adopted again" in central.approval[-1].text


def test_a_crash_before_the_item_is_written_loses_no_notice(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The retry finds the notice stored and posts it, once."""
    with monkeypatch.context() as broken:
        broken.setattr("central.chalicelib.adoption.write_adopted", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            central.deliver(adopted())
    central.deliver(adopted())
    central.sweep(minutes=6)
    assert messages(central) == (0, 1)


def test_two_adoptions_at_the_same_moment_are_two(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes second reads again and knows of the first."""
    from central.chalicelib import adoption

    read, nested = adoption.read_adopted, [AGAIN]

    def interrupted(*arguments: Any) -> Any:
        known = read(*arguments)
        if nested:
            central.deliver(adopted(nested.pop()))
        return known

    monkeypatch.setattr(adoption, "read_adopted", interrupted)
    central.deliver(adopted(FIRST))
    assert central.item(MEMBER)["adoptedAt"] == {"ingress": "2026-10-04T12:00:00.000Z"}
    assert messages(central)[1] == 2


@pytest.mark.parametrize("values", [{"account": "payments"}, {"region": "eu-west-1#x"}, {"region": ""}])
def test_an_impossible_account_or_region_is_refused(central: Central, values: dict[str, Any]) -> None:
    """They become part of keys."""
    with pytest.raises(MessageError):
        central.deliver(adopted(**values))
    assert messages(central) == (0, 0)


def test_neither_the_sweep_nor_the_audit_sees_a_member(central: Central) -> None:
    """A member is no request; what was announced about it is one."""
    central.deliver(adopted())
    central.sweep(hours=1000)
    assert central.item(MEMBER)["status"] == "member"
    found = [one.request.request_id for one in listed(RequestsTable(central.dynamodb, invocation="x"), Wanted())]  # type: ignore[union-attr]  # none is unreadable
    assert found == [f"adoption#{ACCOUNT}#eu-west-1#ingress#2026-10-01T12:00:00.000Z"]


# -- notices of members ------------------------------------------------------------------------------------------------


def notice(event_name: str, **values: Any) -> Request:
    """Return a notice as a member publishes it."""
    defaults = {"origin": "notice", "status": "observed", "change": make_change(), "requester": None}
    return make_request("n-1", event_name=event_name, reason="Look at this.", **(defaults | values))


@pytest.mark.parametrize(
    ("event_name", "channels"),
    [
        ("AdoptedAgain", (1, 1)),
        ("StateDamaged", (1, 1)),
        ("CallWithoutDetails", (1, 1)),
        ("DirectionUnguarded", (0, 1)),
        ("", (0, 1)),
    ],
)
def test_a_notice_goes_where_it_is_needed(central: Central, event_name: str, channels: tuple[int, int]) -> None:
    """What somebody has to look into goes to both channels, everything else to monitoring."""
    central.file(notice(event_name))
    assert messages(central) == channels
    assert "Look at this." in central.monitoring[0].text


@pytest.mark.parametrize(
    "event_name", ["ModifyManagedPrefixList", "RestoreManagedPrefixListVersion", "AssociateSecurityGroupVpc"]
)
def test_indirect_changes_are_announced_in_both_channels(central: Central, event_name: str) -> None:
    """They open ports without a call on a security group, and nothing reverts them."""
    central.file(make_request(status="observed", event_name=event_name, reason="It widens a rule."))
    assert messages(central) == (1, 1)
    assert '"actions"' not in central.approval[0].text


@pytest.mark.parametrize(
    "values",
    [
        {"status": "pending"},
        {"status": "unreverted"},
        {"change": make_request().change},
    ],
)
def test_a_notice_that_asks_for_a_change_is_refused(central: Central, values: dict[str, Any]) -> None:
    """A notice has neither rules nor buttons, so it must not be able to open anything."""
    with pytest.raises(MessageError):
        central.file(notice("AdoptedAgain", **values))
    assert messages(central) == (0, 0)


@pytest.mark.parametrize("request_id", [MEMBER, "batch#1", "adoption#1"])
def test_a_request_with_a_reserved_id_is_refused(central: Central, request_id: str) -> None:
    """No member may write what central keeps under such ids."""
    with contextlib.suppress(MessageError):
        central.file(make_request(request_id))
    assert central.item(request_id) == {}
    assert messages(central) == (0, 0)
