"""Missing settings, unreadable events, hostile texts, refusals by EC2: ports are closed first, then it is told."""

from __future__ import annotations

import io
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from member.chalicelib.cloudtrail.event import EventError
from member.chalicelib.ec2.security_groups import Ec2Error
from shared.domain.rule import group
from shared.settings import SettingError
from shared.telemetry import logger
from shared.wire.messages import RequestMessage
from tests.support.events import Json
from tests.support.faults import Faults, deliver_as_lambda
from tests.support.member_account import ACCOUNT, Member, Person, exact, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule(22, "0.0.0.0/0", "open")
WEB = rule(443, "10.0.0.0/8", "web")


class Log:
    """What the app logs and measures: records by the logger, metrics on standard output."""

    def __init__(self, stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
        self._stream = stream
        self._capsys = capsys

    def text(self) -> str:
        """Return everything since the last call."""
        text = self._stream.getvalue() + self._capsys.readouterr().out
        self._stream.seek(0)
        self._stream.truncate()
        return text

    def records(self) -> list[Json]:
        """Return the records since the last call: each is one line of JSON."""
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Log:
    """The app's log."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return Log(stream, capsys)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("centralAccountId", "", "is missing"),
        ("centralAccountId", "12345", "expected a 12-digit AWS account id"),
        ("centralAccountId", "\N{FULLWIDTH DIGIT ONE}23456789012", "expected a 12-digit AWS account id"),
        ("centralRegion", "", "is missing"),
        ("centralRegion", "Ireland", "expected an AWS region"),
        ("centralRegion", "eu-west-1\nx", "expected an AWS region"),
    ],
)
def test_a_missing_or_malformed_setting_stops_only_publishing(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """The rule is closed and the ledger has the request; the error names the variable; set right, the retry tells."""
    member.snapshot()
    event = ada.opens(OPEN)
    right = {"centralAccountId": "123456789012", "centralRegion": "eu-west-1"}[name]
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=name) as caught:
        member.deliver(event)
    assert problem in str(caught.value)
    assert member.state() == []
    assert member.outcome(event["detail"]["requestID"]) == "reverted"
    monkeypatch.setenv(name, right)
    member.deliver(event)
    assert member.told_request().status == "pending"


def test_a_missing_setting_stops_only_publishing_an_outcome(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approved is applied; set right, the retry says so."""
    member.snapshot()
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    monkeypatch.delenv("centralAccountId")
    with pytest.raises(SettingError, match="centralAccountId"):
        member.approve(request)
    assert member.state() == exact([OPEN])
    monkeypatch.setenv("centralAccountId", "123456789012")
    member.approve(request)
    member.told_applied()
    assert member.state() == exact([OPEN])


def test_without_a_name_the_account_is_shown_by_its_number(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`accountName` is for people; nothing needs it."""
    monkeypatch.delenv("accountName")
    member.snapshot()
    member.deliver(ada.opens(OPEN))
    assert member.told_request().account_name == "123456789012"


# -- unreadable events -------------------------------------------------------------------------------------------------


def broken(event: Json, path: str, value: object) -> Json:
    """Return the event with another value at a path below ``detail``; keys and indexes are separated by dots."""
    place: Any = event["detail"]
    *way, last = path.split(".")
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return event


PERMISSION = "requestParameters.ipPermissions.items.0"
ANSWER = "responseElements.securityGroupRuleSet.items.0"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (f"{PERMISSION}.fromPort", "x", "requestParameters.ipPermissions.items[0].fromPort"),
        (f"{PERMISSION}.ipProtocol", "carrier pigeon", "requestParameters.ipPermissions.items[0]"),
        (f"{PERMISSION}.ipRanges.items.0.cidrIp", "everywhere", "ipPermissions.items[0].ipRanges.items[0].cidrIp"),
        (f"{PERMISSION}.ipRanges", 7, "requestParameters.ipPermissions.items[0].ipRanges"),
        (f"{ANSWER}.cidrIpv4", "everywhere", "responseElements.securityGroupRuleSet.items[0].cidrIpv4"),
        (f"{ANSWER}.toPort", 70000, "responseElements.securityGroupRuleSet.items[0]"),
        (f"{ANSWER}.description", ["x"], "responseElements.securityGroupRuleSet.items[0].description"),
    ],
)
def test_an_unreadable_rule_is_revoked_by_id_and_asked_about(
    member: Member, ada: Person, log: Log, path: str, value: object, named: str
) -> None:
    """A form nobody foresaw keeps no port open and hides nothing: what else the event says is shown."""
    member.snapshot()
    event = broken(ada.opens(OPEN), path, value)
    log.text()
    member.deliver(event)
    request = member.told_request()
    assert (member.state(), request.status, request.change.added) == ([], "pending", (OPEN,))
    records = log.records()
    assert [one for one in records if one.get("message") == "unreadable event" and named in one["problem"]]
    assert [one for one in records if "UnreadableEvents" in one]


def test_a_call_that_cannot_be_read_at_all_is_revoked_by_id_and_shown(member: Member, ada: Person) -> None:
    """Nobody can be asked about rules that nobody can read; a notice says who made them and that they are gone."""
    member.snapshot()
    event = broken(broken(ada.opens(OPEN), f"{PERMISSION}.fromPort", "x"), f"{ANSWER}.toPort", 70000)
    member.deliver(event)
    request = member.told_request()
    assert (member.state(), request.origin, request.status) == ([], "notice", "observed")
    assert request.requester is not None
    assert "sgr-" in request.reason


@pytest.mark.parametrize("value", ["DescribeInstances", None, 7])
def test_an_unknown_call_is_kept_as_a_dead_letter(member: Member, ada: Person, value: object) -> None:
    """Without the name of the call nothing can be decided."""
    with pytest.raises(EventError, match="eventName"):
        member.deliver(broken(ada.opens(OPEN), "eventName", value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("awsRegion", ""),
        ("eventTime", "yesterday"),
        ("eventTime", "2026-03-02T09:15:27"),
        ("userIdentity", "ada"),
        ("recipientAccountId", None),
        ("requestParameters", [1]),
        ("requestParameters.groupId", {"x": 1}),
        ("requestID", 7),
    ],
)
def test_an_odd_head_keeps_nothing_open(member: Member, ada: Person, path: str, value: object) -> None:
    """What only is shown, or stands in the envelope too, is never a reason to leave a rule in force."""
    member.snapshot()
    member.deliver(broken(ada.opens(OPEN), path, value))
    assert (member.state(), member.told_request().change.added) == ([], (OPEN,))


def test_an_unreadable_edit_is_edited_back(member: Member, ada: Person) -> None:
    """Where nothing can be revoked by id, baseline and group show what was edited."""
    member.holds(WEB)
    member.snapshot()
    event = ada.edits((WEB, OPEN))
    rule_id = member.id_of(OPEN)
    place = "requestParameters.ModifySecurityGroupRulesRequest.SecurityGroupRule"
    member.deliver(broken(event, f"{place}.SecurityGroupRule.CidrIpv4", "x"))
    assert member.state() == exact([WEB])
    assert member.id_of(WEB) == rule_id
    assert len(member.told_request().change.modified) == 1


@pytest.mark.parametrize("kind", ["add", "remove"])
def test_an_unreadable_call_without_an_answer_is_reverted_by_comparing(member: Member, ada: Person, kind: str) -> None:
    """What cannot be read keeps no port open and no approved rule removed."""
    member.holds(WEB)
    member.snapshot()
    event = ada.opens(OPEN, with_answer=False) if kind == "add" else ada.closes(WEB, by_id=False, with_answer=False)
    member.deliver(broken(event, f"{PERMISSION}.ipProtocol", "carrier pigeon"))
    assert member.state() == exact([WEB])
    assert member.told_request().status == "pending"


# -- sizes and texts ---------------------------------------------------------------------------------------------------

HOSTILE = '<!channel> *bold* <https://x|y> & "quoted" \\ {"level":"ERROR"}'


def test_a_group_name_of_255_characters_is_told_whole(member: Member) -> None:
    """SNS's subject takes a hundred characters, a group's name has more."""
    made = member.new_group("n" * 255)
    member.snapshot()
    member.deliver(Person(member, group_id=made).opens(OPEN))
    assert member.told_request().group_name == "n" * 255


def test_descriptions_full_of_markup_come_through_unchanged(member: Member, ada: Person) -> None:
    """What was written is what is shown, asked and applied: making it harmless is for whoever shows it."""
    member.snapshot()
    rules = [rule(22, "0.0.0.0/0", HOSTILE), rule(23, "0.0.0.0/0", "a" * 255)]
    for one in rules:
        member.deliver(ada.opens(one))
        request = member.told_request()
        assert request.change.added == (one,)
        member.approve(request)
        member.told_applied()
    assert member.state() == exact(rules)


def test_nobody_writes_a_log_record_of_their_own(member: Member, ada: Person, log: Log) -> None:
    """Names and texts with line breaks stay inside the one record they belong to."""
    member.snapshot()
    event = ada.opens(OPEN)
    forged = '\n{"level":"INFO","message":"applied"}\r\n\x1b[2K'
    event["detail"]["userIdentity"] |= {"userName": f"ada{forged}", "arn": f"arn:aws:iam::1:user/ada{forged}"}
    event["detail"]["userAgent"] = forged
    log.text()
    member.deliver(event)
    records = log.records()
    assert not [one for one in records if one.get("message") == "applied"]
    assert [one["caller"] for one in records if one.get("message") == "decided"] == [f"ada{forged}"]


def test_nothing_secret_or_whole_is_logged(member: Member, ada: Person, log: Log) -> None:
    """Records name request, group and outcome, not bodies, credentials or rules' texts."""
    member.snapshot()
    event = ada.opens(rule(22, "0.0.0.0/0", "a description"))
    member.deliver(event)
    member.approve(member.told_request())
    out = log.text()
    assert "applied" in out
    for text in ("a description", "AKIAIOSFODNN7EXAMPLE", "requestParameters", "testing"):
        assert text not in out


def test_a_request_of_a_thousand_rules_is_filed_told_and_applied(member: Member, ada: Person) -> None:
    """Compressed, it fits into one message and one item."""
    member.snapshot()
    event = ada.opens(OPEN)
    answer = event["detail"]["responseElements"]["securityGroupRuleSet"]["items"]
    (first,) = answer
    words = "access for the office in the north until the migration is done, see ticket SEC-1234; "
    for number in range(999):
        cidr = f"10.{number // 256}.{number % 256}.0/24"
        answer.append(
            {**first, "securityGroupRuleId": f"sgr-{number:017x}", "cidrIpv4": cidr, "description": words * 2}
        )
    member.deliver(event)
    request = member.told_request()
    assert len(request.change.added) == 1000
    assert member.state() == []
    assert member.outcome(request.request_id) == "reverted"


def test_a_request_too_large_for_one_message_is_asked_in_parts(member: Member, ada: Person) -> None:
    """Each part has an id and a digest of its own, is in the ledger, and is applied for itself."""
    chance = random.Random(7)  # noqa: S311 - texts that do not compress
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-:/()#,@[]+=&;{}!$*"
    member.snapshot()
    event = ada.opens(OPEN)
    answer = event["detail"]["responseElements"]["securityGroupRuleSet"]["items"]
    for number in range(1, 1000):
        text = "".join(chance.choices(alphabet, k=255))
        rule_id = f"sgr-{chance.randrange(16**17):017x}"
        cidr = f"10.{number // 256}.{number % 256}.0/24"
        answer.append({**answer[0], "securityGroupRuleId": rule_id, "cidrIpv4": cidr, "description": text})
    member.deliver(event)
    member.deliver(event)
    requests = [one.request for one in member.told() if isinstance(one, RequestMessage)]
    assert len(requests) == 2 * len({one.request_id for one in requests}) > 2
    parts = requests[: len(requests) // 2]
    assert sum(len(one.change.added) for one in parts) == 1000
    small = min(parts, key=lambda one: [rule.identity for rule in one.change.added].count(OPEN.identity) == 0)
    member.approve(small)
    told = member.told_error()  # more rules than a group takes: refused whole, and only this part
    assert (told.request_id, told.code) == (small.request_id, "RulesPerSecurityGroupLimitExceeded")
    assert member.state() == []
    assert {member.outcome(one.request_id) for one in parts if one is not small} == {"reverted"}


# -- EC2 refuses or hesitates ------------------------------------------------------------------------------------------


class Ec2:
    """Stands between the app and EC2, for one test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.original = BaseClient._make_api_call
        self.patch = patch

    def answers(self, how: Any) -> None:
        """Let a function of client, operation, parameters and the real call answer every call."""
        original = self.original

        def call(client: BaseClient, operation: str, parameters: Json) -> Any:
            return how(client, operation, parameters, lambda: original(client, operation, parameters))

        self.patch.setattr(BaseClient, "_make_api_call", call)

    def works(self) -> None:
        """Answer as it is again."""
        self.patch.setattr(BaseClient, "_make_api_call", self.original)


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Ec2:
    """EC2 with a mind of its own."""
    return Ec2(monkeypatch)


def _raised(error: Exception) -> Any:
    raise error


def refusal(client: BaseClient, operation: str, code: str = "UnauthorizedOperation") -> Exception:
    """EC2's error."""
    error: Exception = client.exceptions.from_code("x")({"Error": {"Code": code, "Message": "no"}}, operation)
    return error


def test_one_rule_ec2_refuses_to_close_keeps_no_other_open(member: Member, ada: Person, ec2: Ec2) -> None:
    """The whole call is refused because of one rule: the others go one by one, and the one is reported as open."""
    member.snapshot()
    others = [rule(80, "0.0.0.0/0", "a"), rule(81, "0.0.0.0/0", "b")]
    event = ada.opens(OPEN, *others)
    bad = member.id_of(OPEN)

    def answer(client: BaseClient, operation: str, parameters: Json, real: Any) -> Any:
        if operation == "RevokeSecurityGroupIngress" and bad in parameters.get("SecurityGroupRuleIds", []):
            raise refusal(client, operation)
        return real()

    ec2.answers(answer)
    member.deliver(event)
    assert member.state() == exact([OPEN])
    request = member.told_request()
    assert (request.status, request.remaining) == ("unreverted", (OPEN,))
    assert "UnauthorizedOperation" in request.reason
    assert OPEN.identity in request.reason
    ec2.works()
    member.snapshot()
    member.snapshot(after=timedelta(minutes=20))
    assert member.state() == [], "what could not be closed is drift, not approved"


def test_without_the_table_every_rule_is_revoked_and_asked_about(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No failure to store prevents a revert, nor the question; the event comes again to be written down."""
    monkeypatch.setenv("ownRoleArn", f"arn:aws:iam::{ACCOUNT}:role/member")
    event = ada.opens(OPEN, WEB, rule(80))
    ada.closes(WEB)
    asked = sorted(one.identity for one in (OPEN, WEB, rule(80)))
    original = BaseClient._make_api_call

    def without_table(client: BaseClient, operation: str, parameters: Json) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            raise refusal(client, operation, "ResourceNotFoundException")
        return original(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", without_table)
        with pytest.raises(ClientError, match="ResourceNotFound"):
            member.deliver(event)
    assert member.state() == []
    assert [one.identity for one in member.told_request().change.added] == asked
    member.deliver(event)
    assert [one.identity for one in member.told_request().change.added] == asked


def test_exposure_ends_with_the_revert_alone(member: Member, ada: Person, ec2: Ec2, log: Log) -> None:
    """What EC2 refuses to close is still exposed, and what needs no revert never was: neither is measured."""
    member.holds(WEB)
    member.snapshot()
    events_of = [ada.opens(OPEN), ada.closes(OPEN)]
    ec2.answers(
        lambda client, operation, _, run: (
            run() if operation != "RevokeSecurityGroupIngress" else _raised(refusal(client, operation))
        )
    )
    member.deliver(ada.opens(rule(80)), events_of[1])
    assert "ExposureSeconds" not in log.text()
    ec2.works()
    member.deliver(ada.closes(WEB))
    assert log.text().count('"ExposureSeconds":') == 1


def test_rules_ec2_refuses_to_restore_are_reported_as_missing(member: Member, ada: Person, ec2: Ec2) -> None:
    """A removal that cannot be undone is told with the rule that is missing."""
    member.holds(WEB)
    member.snapshot()
    event = ada.closes(WEB)

    def answer(client: BaseClient, operation: str, parameters: Json, real: Any) -> Any:  # noqa: ARG001
        if operation == "AuthorizeSecurityGroupIngress":
            raise refusal(client, operation, "RulesPerSecurityGroupLimitExceeded")
        return real()

    ec2.answers(answer)
    member.deliver(event)
    request = member.told_request()
    assert (request.status, request.remaining) == ("unreverted", (WEB,))
    assert "RulesPerSecurityGroupLimitExceeded" in request.reason


def test_a_rule_that_refers_to_a_deleted_group_is_dropped_and_told(member: Member, ada: Person) -> None:
    """It can never be restored: people are told once, and it is not approved any more."""
    jump_hosts = member.new_group()
    held = rule(22, group(jump_hosts, account=ACCOUNT))
    member.holds(held)
    member.snapshot()
    event = ada.closes(held)
    member.ec2.delete_security_group(GroupId=jump_hosts)
    member.deliver(event)
    request = member.told_request()
    assert (request.status, request.remaining, member.approved()) == ("observed", (), [])
    assert jump_hosts in request.reason
    member.snapshot(after=timedelta(hours=1))
    member.snapshot(after=timedelta(hours=2))
    assert member.told() == []


def test_a_group_ec2_refuses_to_show_is_reported(member: Member, ada: Person, ec2: Ec2) -> None:
    """Closed by id, but nobody could check: people are told."""
    member.snapshot()
    event = ada.opens(OPEN)

    def answer(client: BaseClient, operation: str, parameters: Json, real: Any) -> Any:  # noqa: ARG001
        if operation.startswith("Describe"):
            raise refusal(client, operation)
        return real()

    ec2.answers(answer)
    member.deliver(event)
    ec2.works()
    request = member.told_request()
    assert request.status == "unreverted"
    assert "UnauthorizedOperation" in request.reason
    assert member.state() == []


def test_a_silent_refusal_is_found_by_reading_back(member: Member, ada: Person, ec2: Ec2, pauses: list[float]) -> None:
    """In a default VPC EC2 may report success and do nothing: after a few looks people are told."""
    member.snapshot()
    event = ada.opens(OPEN)

    def answer(client: BaseClient, operation: str, parameters: Json, real: Any) -> Any:  # noqa: ARG001
        return {"Return": True} if operation == "RevokeSecurityGroupIngress" else real()

    ec2.answers(answer)
    member.deliver(event)
    request = member.told_request()
    assert (request.status, request.remaining) == ("unreverted", (OPEN,))
    assert "did not change" in request.reason
    assert len(pauses) == 3


@pytest.mark.parametrize("kind", ["add", "add without ids", "remove", "edit"])
def test_a_stale_read_does_no_harm(member: Member, ada: Person, ec2: Ec2, kind: str) -> None:
    """What EC2 shows may be what it was a moment ago, before the change or before the revert."""
    member.holds(WEB)
    member.snapshot()
    edited = rule(444, "0.0.0.0/0", "x")
    stale: list[Any] = []

    def remember(client: BaseClient, operation: str, parameters: Json, real: Any) -> Any:  # noqa: ARG001
        found = real()
        if operation == "DescribeSecurityGroupRules":
            stale.append(found)
            if len(stale) > 1:
                return stale[-2]
        return found

    wanted = {"ResponseMetadata": {}}
    before = member.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [member.group_id]}])
    stale.append({**before, **wanted})
    event = {
        "add": lambda: ada.opens(OPEN),
        "add without ids": lambda: ada.opens(OPEN, with_answer=False),
        "remove": lambda: ada.closes(WEB),
        "edit": lambda: ada.edits((WEB, edited)),
    }[kind]()
    del stale[1:]
    ec2.answers(remember)
    member.deliver(event)
    ec2.works()
    assert member.state() == exact([WEB])
    assert member.told_request().status == "pending"


def test_throttling_in_the_middle_ends_with_the_next_delivery(member: Member, ada: Person) -> None:
    """Several tags, so several calls: one is throttled, the others are made, and the retry makes the rest."""
    rules = [rule(port, "10.0.0.0/8", "x", tags=[("number", str(port))]) for port in range(4)]
    for one in rules:
        member.holds(one, tags=one.tags)
    member.snapshot()
    event = ada.closes(*rules)
    faults = Faults(kind="throttled", at=5)
    with faults.watching():
        with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
            member.deliver(event)
        assert (len(member.state()), member.told()) == (3, [])
        assert faults.operations.count("AuthorizeSecurityGroupIngress") == 4
        assert deliver_as_lambda(lambda: member.deliver(event))
    assert member.state() == exact(rules)
    assert exact(member.told_request().change.removed) == exact(rules)


def test_a_throttled_call_of_many_rules_is_not_made_into_many(member: Member, ada: Person) -> None:
    """Sixty single calls in the place of a throttled one would only make it worse."""
    member.snapshot()
    event = ada.opens(*(rule(port, "0.0.0.0/0") for port in range(60)))
    faults = Faults(kind="throttled", at=1)
    with faults.watching():
        with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
            member.deliver(event)
        assert faults.operations == ["RevokeSecurityGroupIngress"]
        member.deliver(event)
    assert member.state() == []
