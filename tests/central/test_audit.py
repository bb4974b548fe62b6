"""The audit: found through the index alone, written so that nothing in it acts on a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws

from central.audit.__main__ import main
from central.audit.listing import STATUSES, CursorError, Unreadable, Wanted, listed
from central.audit.writing import COLUMNS, csv_lines, json_lines, table_lines, to_json
from central.chalicelib.requests.items import record_to_item
from central.chalicelib.requests.record import ClickedMessage, Decision, HistoryEntry, Record
from central.chalicelib.requests.table import TABLE, RequestsTable
from shared.aws.attributes import to_attributes
from shared.domain.caller import Caller
from shared.domain.request import Approver, Status
from tests.support.aws_clients import aws_client
from tests.support.central_account import ADA, REGION, make_request, make_table
from tests.support.web_page import serving_a_web_page

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SECRET = "https://hooks.slack.com/actions/T0001/1234/response-url-secret"
EVE = Caller(type="IAMUser", account="222222222222", arn="arn:aws:iam::222222222222:user/Eve", name="Eve")


def make_record(number: int = 0, **values: Any) -> Record:
    """Return a stored request, one minute after the one before; values of the request may stand beside the record's."""
    of_request = {
        key: values.pop(key) for key in list(values) if key in make_request().__dataclass_fields__ and key != "status"
    }
    request = make_request(
        **{"request_id": f"r-{number:05d}", "event_time": NOON + timedelta(minutes=number), **of_request}
    )
    status: Status = values.pop("status", "pending")
    history = (HistoryEntry(at=request.event_time, status=status, previous="", by=request.account),)
    return Record(
        **{"request": request, "status": status, "requested_at": request.event_time, "history": history, **values}
    )


DECIDED = make_record(
    status="denied",
    decision=Decision(by="U061F7AUR", by_name="grace", at=NOON),
    clicked=ClickedMessage(response_url=SECRET, ts="1727740800.000100"),
    history=(
        HistoryEntry(at=NOON, status="pending", previous="", by="123456789012"),
        HistoryEntry(at=NOON, status="denied", previous="pending", by="U061F7AUR", note="enough"),
    ),
)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """DynamoDB with the table."""
    for name, value in (("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing"), ("AWS_REGION", REGION)):
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = aws_client("dynamodb", REGION)
        make_table(client)
        yield client


@pytest.fixture
def web_page() -> Iterator[str]:
    """The address of a proxy that wants a login."""
    with serving_a_web_page() as address:
        yield address


@pytest.fixture
def table(dynamodb: Any) -> RequestsTable:
    """The table as the audit uses it."""
    return RequestsTable(dynamodb, invocation="audit")


@pytest.fixture
def store(dynamodb: Any) -> Callable[..., None]:
    """Return a function that puts records into the table."""

    def put(*records: Record) -> None:
        for record in records:
            dynamodb.put_item(TableName=TABLE, Item=to_attributes(record_to_item(record)))

    return put


def ids(found: Iterator[Record | Unreadable]) -> list[str]:
    """Return the ids of what was found, in its order."""
    return [one.request.request_id if isinstance(one, Record) else one.request_id for one in found]


def test_requests_of_all_statuses_are_listed_newest_first(table: RequestsTable, store: Callable[..., None]) -> None:
    """The statuses are merged by time; of the same moment, the order is fixed too."""
    some = [make_record(number, status=status) for number, status in enumerate(STATUSES)]
    twins = [
        make_record(99, request_id=name, status=status)
        for name, status in (("b", "denied"), ("a", "denied"), ("c", "applied"))
    ]
    store(*some, *twins)
    expected = ["c", "b", "a", *(f"r-{number:05d}" for number in reversed(range(len(STATUSES))))]
    assert ids(listed(table, Wanted())) == expected


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(statuses=("denied",)), ["r-00002"]),
        (Wanted(statuses=("denied", "applied", "denied")), ["r-00003", "r-00002"]),
        (Wanted(account="222222222222"), ["r-00001"]),
        (Wanted(account="22222222222"), []),
        (Wanted(group="sg-0000000000000000f"), ["r-00002"]),
        (Wanted(group="database"), ["r-00003"]),
        (Wanted(group="data"), []),
        (Wanted(person="ADA@example"), ["r-00003", "r-00002"]),
        (Wanted(person="user/eve"), ["r-00001"]),
        (Wanted(person="u061f7aur"), ["r-00003"]),
        (Wanted(person="grace"), ["r-00003"]),
        (Wanted(person="sweep"), ["r-00002"]),
        (Wanted(since=NOON + timedelta(minutes=2)), ["r-00003", "r-00002"]),
        (Wanted(until=NOON + timedelta(minutes=2)), ["r-00002", "r-00001"]),
        (Wanted(since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=2)), ["r-00002"]),
        (Wanted(since=NOON + timedelta(minutes=3), until=NOON), []),
        (Wanted(person="ada", account="123456789012", statuses=("applied",)), ["r-00003"]),
    ],
)
def test_each_filter_narrows_the_list(
    table: RequestsTable, store: Callable[..., None], wanted: Wanted, found: list[str]
) -> None:
    """Status, account, group, person (who asked, who decided, who did anything) and time, alone and together."""
    store(
        make_record(1, account="222222222222", requester=EVE),
        make_record(
            2,
            group_id="sg-0000000000000000f",
            status="denied",
            requester=ADA,
            history=(HistoryEntry(at=NOON, status="denied", previous="", by="sweep"),),
        ),
        make_record(
            3, group_name="database", status="applied", decision=Decision(by="U061F7AUR", by_name="Grace", at=NOON)
        ),
    )
    assert ids(listed(table, wanted)) == found


def test_thousands_of_requests_are_found_by_queries_alone(
    table: RequestsTable, dynamodb: Any, store: Callable[..., None]
) -> None:
    """Neither a scan nor a read of single items, however many there are, and no more pages than somebody looks at."""
    store(*(make_record(number, status=STATUSES[number % len(STATUSES)]) for number in range(1000)))
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    found = ids(listed(table, Wanted()))
    assert found == [f"r-{number:05d}" for number in reversed(range(1000))]
    assert set(calls) == {"Query"}
    for_all = len(calls)
    calls.clear()
    ten = listed(table, Wanted(statuses=("denied",)))
    assert len([next(ten) for _ in range(10)]) == 10
    assert set(calls) == {"Query"}
    assert len(calls) <= for_all / len(STATUSES) + 1


@pytest.mark.parametrize("size", [1, 2, 7])
def test_pages_go_on_where_the_last_one_ended(
    dynamodb: Any, store: Callable[..., None], capsys: pytest.CaptureFixture[str], size: int
) -> None:
    """All pages together are the whole list, each request once, moments shared by several included."""
    assert dynamodb
    store(*(make_record(number // 3, request_id=f"r-{number}", status=STATUSES[number % 4]) for number in range(20)))
    seen: list[str] = []
    after: list[str] = []
    while True:
        assert main(["--format", "jsonl", "--limit", str(size), *after]) == 0
        out, err = capsys.readouterr()
        seen += [json.loads(line)["requestId"] for line in out.splitlines()]
        if not err:
            break
        after = ["--after", err.split("--after ")[1].strip().strip("'")]
    assert sorted(seen) == sorted(f"r-{number}" for number in range(20))
    assert len(seen) == 20


def test_a_request_that_cannot_be_read_is_named_and_hides_no_other(
    dynamodb: Any, store: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged item is a line for the operator and an exit code, not an end of the list."""
    store(make_record(1), make_record(3))
    dynamodb.put_item(TableName=TABLE, Item=to_attributes(record_to_item(make_record(2)) | {"body": "\x1b[2J{}"}))
    assert main(["--format", "jsonl"]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["requestId"] for line in out.splitlines()] == ["r-00003", "r-00001"]
    assert err.startswith("r-00002 cannot be read: request r-00002.body")
    assert "\x1b" not in err


def test_an_index_that_projects_keys_alone_is_read_around(dynamodb: Any, store: Callable[..., None]) -> None:
    """What the index does not have is read item by item from the table; still nothing is scanned."""
    dynamodb.delete_table(TableName=TABLE)
    make_table(dynamodb, projection="KEYS_ONLY")
    store(make_record(1), make_record(2, status="denied"))
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    assert ids(listed(RequestsTable(dynamodb, invocation="audit"), Wanted())) == ["r-00002", "r-00001"]
    assert set(calls) == {"Query", "GetItem"}


@pytest.mark.parametrize("lines", [table_lines, csv_lines, json_lines])
def test_the_address_of_a_click_is_in_no_format(lines: Callable[[Any], Iterator[str]]) -> None:
    """A response_url is a secret while it lives, and nobody's business afterwards."""
    assert "response-url-secret" not in "\n".join(lines([DECIDED]))
    assert "responseUrl" not in json.dumps(to_json(DECIDED))


def test_json_lines_hold_everything_as_it_is_stored() -> None:
    """Texts are exact, the whole change and the whole history are there, as is how it was filed."""
    described = replace(DECIDED, request=make_request(group_name="=cmd\n\u202e", event_time=NOON))
    (line,) = json_lines([described])
    document = json.loads(line)
    assert line.isascii()
    assert document["groupName"] == "=cmd\n\u202e"
    assert (document["filedAs"], document["status"]) == ("pending", "denied")
    assert document["change"]["added"][0]["source"]["value"] == "0.0.0.0/0"
    assert document["history"][1] == {
        "at": "2026-10-01T12:00:00.000Z",
        "status": "denied",
        "previous": "pending",
        "by": "U061F7AUR",
        "note": "enough",
    }
    assert (document["decidedBy"], document["digest"]) == ("U061F7AUR", described.request.digest)


def test_the_csv_has_one_line_for_each_request_and_every_column() -> None:
    """A heading, then values that say the change and the history in words."""
    rows = list(csv.DictReader(io.StringIO("\n".join(csv_lines([DECIDED, make_record(1)])))))
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert rows[0]["change"] == "add TCP 22 (SSH) from 0.0.0.0/0 (the whole internet)"
    assert rows[0]["history"].endswith("2026-10-01T12:00:00.000Z pending to denied by U061F7AUR (enough)")
    assert rows[0]["decidedAt"] == "2026-10-01T12:00:00.000Z"
    assert rows[1]["requester"] == ADA.name


FORMULAS = (
    '=HYPERLINK("https://evil.example","ok")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)",
    "  =1",
    "\t=1",
    "\r\n=1",
    "\uff1d1",
    'x";=1',
    "x;=1",
    "x|-1",
    "x,+1",
    "'=1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula_whatever_sign_a_spreadsheet_splits_at(text: str) -> None:
    """Whoever names a group cannot have a program run on the machine of whoever opens the export."""
    named = make_record(
        group_name=text,
        account_name=text,
        reason=text,
        requester=replace(ADA, name=text),
        decision=Decision(by="", by_name=text, at=NOON),
    )
    for line in csv_lines([named]):
        for separator in (",", ";", "\t", "|"):
            for cell in line.replace('"', "").split(separator):
                assert cell.strip()[:1] not in {"=", "+", "-", "@", "\uff1d"}, cell
        assert line.isprintable()


def test_a_hostile_name_cannot_act_on_a_terminal() -> None:
    """Control characters, line ends and invisible characters are written as escapes, in the table and in the CSV."""
    text = "\x1b]0;x\x07\x1b[2J\n\u202efake  2026-10-01"
    named = make_record(group_name=text, account_name=text, requester=replace(ADA, name=text), request_id=text)
    for lines in (table_lines, csv_lines):
        assert all(line.isprintable() for line in lines([named]))
        assert len(list(lines([named]))) == 2


def test_the_table_says_who_when_where_and_what() -> None:
    """One line per request; a difference without an author says so."""
    heading, decided, found = table_lines([DECIDED, make_record(1, requester=None, origin="snapshot")])
    assert heading.split()[:3] == ["requestedAt", "status", "account"]
    for part in (
        "2026-10-01 12:00:00",
        "denied",
        "payments 123456789012",
        "ada@example.com",
        "TCP 22",
        "grace",
        "r-00000",
    ):
        assert part in decided
    assert "nobody known" in found


@pytest.mark.parametrize(
    "arguments",
    [
        ["--status", "open"],
        ["--since", "yesterday"],
        ["--limit", "-1"],
        ["--format", "xml"],
        ["--after", "somewhere"],
        ["--after", "noon/r-1"],
    ],
)
def test_wrong_usage_is_said_in_a_sentence(
    dynamodb: Any, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Exit code 2, usage, and what is wrong."""
    assert dynamodb
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[1].lstrip("-").split("/")[0] in capsys.readouterr().err


def test_without_a_region_nothing_is_guessed(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The region is asked for, not assumed: an empty list from a wrong one would be misunderstood."""
    assert dynamodb
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(SystemExit):
        main([])
    assert "no region" in capsys.readouterr().err


def test_what_aws_refuses_is_said(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """No table here: a sentence and exit code 1, no trace."""
    dynamodb.delete_table(TableName=TABLE)
    assert main([]) == 1
    assert capsys.readouterr().err.startswith(
        f"There is no table {TABLE} in this account in {REGION}: is this the central account, and its region?"
    )


def test_a_web_page_is_no_empty_list(
    monkeypatch: pytest.MonkeyPatch, web_page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proxy that wants a login answers in AWS's place; botocore would read an empty answer."""
    for name, value in (("AWS_ENDPOINT_URL", web_page), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(name, value)
    assert main(["--region", REGION]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("AWS refused: the answer is a web page, not AWS's: is a proxy or a login page")
    assert "<html>" not in out + err


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200, 300])
def test_a_table_fits_its_terminal(width: int) -> None:
    """The least important columns go first; change, status and requester are there in any."""
    lines = list(table_lines([DECIDED], width=width))
    assert max(map(len, lines)) <= width
    assert {"change"} <= set(lines[0].split())
    if width >= 80:
        assert {"requestedAt", "status", "requester", "group"} <= set(lines[0].split())
    if width >= 120:
        assert {"decided", "request"} <= set(lines[0].split())


def test_a_wide_terminal_leaves_nothing_out() -> None:
    """From the full width on it is the table that a pipe gets."""
    assert list(table_lines([DECIDED], width=300)) == list(table_lines([DECIDED]))


def test_a_table_shows_a_screenful_and_says_how_to_go_on(
    dynamodb: Any, store: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fifty requests unless told otherwise; exports hold all."""
    assert dynamodb
    store(*(make_record(number) for number in range(60)))
    assert main(["--since", "2026-10-01", "--until", "2026-10-01T23:00:00+00:00"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 51
    assert "Continue with: --after '2026-10-01T12:10:00.000Z/r-00010'" in err
    assert main(["--format", "csv", "--region", REGION]) == 0
    out, err = capsys.readouterr()
    assert (len(out.splitlines()), err) == (61, "")


def test_a_place_of_another_form_is_refused(table: RequestsTable) -> None:
    """Only what a listing named is a place to continue from."""
    with pytest.raises(CursorError):
        next(listed(table, Wanted(after="2026-10-01T12:00:00.000Z/")))


def test_who_approved_for_how_long_is_exported() -> None:
    """In the last columns, in JSON Lines as stored; each of them is a person to look for."""
    until = datetime(2026, 10, 1, 20, tzinfo=UTC)
    approvals = (Approver(by="U1", by_name="grace", at=until, hours=8), Approver(by="U2", at=until))
    record = make_record(0, approvals=approvals, valid_until=until)
    (row,) = csv.DictReader(io.StringIO("\n".join(csv_lines([record]))))
    moment = "2026-10-01T20:00:00.000Z"
    assert row["approvals"] == f"{moment} U1 grace for 8 h; {moment} U2"
    assert row["validUntil"] == moment
    (document,) = map(json.loads, json_lines([record]))
    assert [one["by"] for one in document["approvals"]] == ["U1", "U2"]
    assert document["validUntil"] == moment


def test_duplicates_say_so() -> None:
    """The one that stands for others has their number, the others its id; JSON Lines too."""
    first, second = make_record(0, duplicates=3), make_record(1, duplicate_of="r-00000")
    lines = [line.split() for line in table_lines([first, second])]
    assert ["again" in lines[0], "3" in lines[1], "duplicate" in lines[2]] == [True, True, True]
    rows = list(csv.DictReader(io.StringIO("\n".join(csv_lines([first, second])))))
    assert [(row["duplicates"], row["duplicateOf"]) for row in rows] == [("3", ""), ("0", "r-00000")]
    assert [json.loads(line)["duplicateOf"] for line in json_lines([first, second])] == ["", "r-00000"]
