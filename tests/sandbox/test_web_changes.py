"""How entries become changes: whose they are, how long each change was in force, how it stands."""

from dataclasses import replace

from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    Entry,
    Event,
    FaultStruck,
    InvocationEnded,
    InvocationStarted,
    ItemWritten,
    SlackClicked,
    SlackPosted,
    SlackRefused,
)
from sandbox.web.changes import Changes

ID = "11111111-2222-3333-4444-555555555555"
ACCOUNT, REGION = "222222222222", "eu-west-1"
CALL = ApiCalled(
    service="ec2",
    action="AuthorizeSecurityGroupIngress",
    caller="arn:aws:iam::222222222222:user/alice",
    summary="sg-1",
    duration_ms=2,
    request_id=ID,
    about=ID,
    account=ACCOUNT,
    region=REGION,
)
REVERT = replace(CALL, action="RevokeSecurityGroupIngress", function="revertSecurityGroup")
SENT = CloudTrailSent(
    event_id="e",
    request_id=ID,
    action=CALL.action,
    caller=CALL.caller,
    group="sg-1",
    about=ID,
    account=ACCOUNT,
    region=REGION,
)
STARTED = InvocationStarted(
    invocation_id="i", function="revertSecurityGroup", trigger="event", about=ID, account=ACCOUNT, region=REGION
)
ENDED = InvocationEnded(
    invocation_id="i", function="revertSecurityGroup", duration_ms=1, about=ID, account=ACCOUNT, region=REGION
)
ITEM = ItemWritten(table="securityGroupRequests", key=ID, status="pending", about=ID, account=ACCOUNT, region=REGION)
POSTED = SlackPosted(channel="c", ts="1.1", text=f"Needs approval. Request {ID}.", how="posted")


def read(*events: Event) -> tuple[Changes, list[str]]:
    """Read events, ten milliseconds apart; the second value says to which change each belongs."""
    changes = Changes()
    entries = [
        Entry(number=number, ms=number * 10.0, at=number / 100, event=event)
        for number, event in enumerate(events, start=1)
    ]
    return changes, [changes.read(entry) for entry in entries]


def test_exposure_lasts_from_the_call_to_the_call_that_undid_it() -> None:
    """Not to the end of the function, and not to a later call."""
    changes, owners = read(
        CALL, SENT, STARTED, REVERT, ENDED, ITEM, replace(REVERT, function="applySecurityGroupChange")
    )
    change = changes.by_id[ID]
    assert owners == [ID] * 7
    assert (change.who, change.group, change.exposed_ms, change.state) == ("alice", "sg-1", 30.0, "pending")


def test_a_revert_that_ec2_refused_ends_no_exposure() -> None:
    """Only a call that took effect does."""
    changes, _ = read(CALL, replace(REVERT, error="RequestLimitExceeded"), REVERT)
    assert changes.by_id[ID].exposed_ms == 20.0


def test_a_refused_call_is_no_exposure() -> None:
    """EC2's error is the state, and there is nothing to draw."""
    changes, _ = read(replace(CALL, error="InvalidPermission.Duplicate"))
    change = changes.by_id[ID]
    assert (change.state, change.error, change.counts) == ("refused", "InvalidPermission.Duplicate", False)


def test_a_change_that_the_function_lets_stand_is_allowed() -> None:
    """It ended without an error and without taking anything back."""
    changes, _ = read(CALL, SENT, STARTED, ENDED)
    assert changes.by_id[ID].state == "allowed"


def test_a_lost_event_leaves_the_change_unseen_until_the_snapshot_undoes_it() -> None:
    """The snapshot's own call names no request, but the group."""
    drift = replace(REVERT, function="snapshotSecurityGroups", about="", request_id="other")
    changes, owners = read(CALL, replace(SENT, fate="lost"), replace(drift, summary="sg-2"))
    assert changes.by_id[ID].state == "unseen"
    assert owners[-1] == ""
    changes, owners = read(CALL, replace(SENT, fate="lost"), drift)
    assert (changes.by_id[ID].state, changes.by_id[ID].exposed_ms, owners[-1]) == ("taken back", 20.0, ID)


def test_messages_clicks_and_notes_belong_to_the_request_they_show() -> None:
    """A message names its request; a click and the note that answers it name the message."""
    click = SlackClicked(user="Grace", button="Deny", channel="c", ts="1.1")
    answered = ClickAnswered(channel="c", ts="1.1", status=200, duration_ms=5)
    note = SlackPosted(channel="c", ts="1.2", text="No.", how="whispered", user="U1", answers="1.1")
    stranger = replace(note, answers="9.9")
    _, owners = read(CALL, POSTED, click, note, stranger, answered)
    assert owners == [ID, ID, ID, ID, "", ID]


def test_parts_of_a_split_request_are_one_change() -> None:
    """They have ids of their own, derived from the call's."""
    part = replace(ITEM, key=f"{ID}-1of3", about=f"{ID}-1of3")
    _, owners = read(CALL, part, replace(POSTED, text=f"Part. Request {ID}-2of3."))
    assert owners == [ID, ID, ID]


def test_what_slack_refuses_belongs_to_the_function_that_runs() -> None:
    """Without one it belongs to no change."""
    refused = SlackRefused(channel="c", status=500, reason="down")
    fault = FaultStruck(fault="Slack does not answer", detail="c")
    _, owners = read(CALL, STARTED, refused, fault, ENDED, refused)
    assert owners == [ID, ID, ID, ID, ID, ""]


def test_a_difference_that_the_snapshot_found_is_a_change_of_its_own() -> None:
    """Nobody's call began it."""
    changes, _ = read(replace(ITEM, key="drift-1", about="drift-1"))
    change = changes.by_id["drift-1"]
    assert (change.who, change.state, change.counts) == ("The snapshot", "pending", False)
