"""Steps become lines and changes: to which change a step belongs, how long it was in force, its state."""

from dataclasses import replace

from sandbox.narration import Line, Narrator
from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    Entry,
    FaultStruck,
    InvocationEnded,
    InvocationStarted,
    ItemWritten,
    SlackClicked,
    SlackPosted,
    SlackRefused,
    Step,
)

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
    request_id=ID,
    action=CALL.action,
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


def lines(narrator: Narrator, *steps: Step) -> list[Line]:
    """Read steps, ten milliseconds apart."""
    return [
        narrator.read(Entry(number=number, ms=number * 10.0, at=number / 100, step=step))
        for number, step in enumerate(steps, start=1)
    ]


def read(*steps: Step) -> tuple[Narrator, list[str]]:
    """Read steps; the second value says to which change each belongs."""
    narrator = Narrator()
    return narrator, [line.about for line in lines(narrator, *steps)]


def test_exposure_lasts_from_the_call_to_the_call_that_reverted_it() -> None:
    """Not to the end of the function, and not to a later call."""
    narrator, owners = read(
        CALL, SENT, STARTED, REVERT, ENDED, ITEM, replace(REVERT, function="applySecurityGroupChange")
    )
    change = narrator.changes[ID]
    assert owners == [ID] * 7
    assert (change.who, change.group, change.exposed_ms, change.state) == ("alice", "sg-1", 30.0, "pending")


def test_a_revert_that_ec2_refused_ends_no_exposure() -> None:
    """Only a call that took effect does."""
    narrator, _ = read(CALL, replace(REVERT, error="RequestLimitExceeded"), REVERT)
    assert narrator.changes[ID].exposed_ms == 20.0


def test_a_refused_call_is_no_exposure() -> None:
    """EC2's error is the state, and there is nothing to draw."""
    narrator, _ = read(replace(CALL, error="InvalidPermission.Duplicate"))
    change = narrator.changes[ID]
    assert (change.state, change.error, change.counts) == ("refused", "InvalidPermission.Duplicate", False)


def test_a_change_that_the_function_lets_stand_is_allowed() -> None:
    """It ended without an error and without reverting anything."""
    narrator, _ = read(CALL, SENT, STARTED, ENDED)
    assert narrator.changes[ID].state == "allowed"


def test_a_lost_event_leaves_the_change_unseen_until_the_snapshot_reverts_it() -> None:
    """The snapshot's own call names no request, but the group."""
    drift = replace(REVERT, function="snapshotSecurityGroups", about="", request_id="other")
    narrator, owners = read(CALL, replace(SENT, fate="lost"), replace(drift, summary="sg-2"))
    assert narrator.changes[ID].state == "unseen"
    assert owners[-1] == ""
    narrator, owners = read(CALL, replace(SENT, fate="lost"), drift)
    assert (narrator.changes[ID].state, narrator.changes[ID].exposed_ms, owners[-1]) == ("reverted", 20.0, ID)


def test_messages_clicks_and_notes_belong_to_the_request_they_show() -> None:
    """A message names its request; a click and the note that answers it name the message."""
    click = SlackClicked(user="Grace", button="Deny", channel="c", ts="1.1")
    answered = ClickAnswered(channel="c", ts="1.1", status=200, duration_ms=5)
    note = SlackPosted(channel="c", ts="1.2", text="No.", how="ephemeral", user="U1", answers="1.1")
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
    narrator, _ = read(replace(ITEM, key="drift-1", about="drift-1"))
    change = narrator.changes["drift-1"]
    assert (change.who, change.state, change.counts) == ("The snapshot", "pending", False)


def test_a_status_is_a_main_line_when_it_changes_and_a_detail_when_written_again() -> None:
    """Writes to other tables are details as well."""
    other = replace(ITEM, table="securityGroupState", key="group#eu-west-1#sg-1", status="")
    read = lines(Narrator(), ITEM, ITEM, replace(ITEM, status="approved"), other)
    assert [line.level for line in read] == ["main", "detail", "main", "detail"]
    assert read[2].what == "request 11111111… is approved"


def test_what_central_keeps_for_itself_is_no_request() -> None:
    """The item of a member has a status too, which is nobody's request."""
    member = replace(ITEM, key=f"member#{ACCOUNT}#{REGION}", status="member", about="")
    narrator = Narrator()
    (line,) = lines(narrator, member)
    assert (line.level, line.what) == ("detail", f"securityGroupRequests member#{ACCOUNT}#{REGION}")
    assert narrator.changes == {}


def test_a_call_of_a_change_shows_its_group_apart() -> None:
    """The page has it above the change's lines, the terminal at the end of each line."""
    known, failed, other = lines(Narrator(), CALL, replace(CALL, error="Throttled"), replace(CALL, about=""))
    assert (known.what, known.subject) == ("ec2:AuthorizeSecurityGroupIngress", "sg-1")
    assert (failed.what, failed.level) == ("ec2:AuthorizeSecurityGroupIngress → Throttled", "bad")
    assert (other.what, other.subject) == ("ec2:AuthorizeSecurityGroupIngress sg-1", "")
