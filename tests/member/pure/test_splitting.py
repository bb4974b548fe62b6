"""The largest requests: what fits into SNS and DynamoDB, and how what does not fit is asked in parts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.splitting import LARGEST_MESSAGE, fitting_parts
from shared.domain.change import Change, Modification, make_change
from shared.domain.operations import Added, Edited, Removed
from shared.domain.reach import Interfaces, Reach
from shared.domain.request import Request, operation_text
from shared.domain.rule import Rule, cidr, make_rule
from shared.wire.compression import to_bytes
from shared.wire.messages import RequestMessage, write_message
from shared.wire.request_json import request_to_json
from tests.support import strategies

LARGEST_ITEM = 400 * 1024  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
WORDS = ("access", "allow", "bastion", "build", "database", "for", "from", "office", "SEC-1234", "until", "vpn")


def rule(number: int, description: str, chance: random.Random) -> Rule:
    """A rule with an address and an id that do not compress."""
    return make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=number,
        to_port=number,
        source=cidr(
            f"{chance.randrange(2**32) >> 24}.{chance.randrange(256)}.{chance.randrange(256)}.{number % 256}/32"
        ),
        description=description,
        rule_id=f"sgr-{chance.randrange(16**17):017x}",
    )


def random_text(chance: random.Random) -> str:
    """255 characters that EC2 takes and that nothing compresses."""
    return "".join(chance.choices(strategies.DESCRIPTION_ALPHABET, k=255))


def sentence(chance: random.Random) -> str:
    """255 characters of words, as people write them."""
    return " ".join(chance.choices(WORDS, k=60))[:255]


def request(change: Change, **values: Any) -> Request:
    """A request with a group's longest name."""
    parts: dict[str, Any] = {
        "request_id": "59dbff89-35bd-4eac-99ed-be587example",
        "account": "222222222222",
        "account_name": "shop",
        "region": "eu-west-1",
        "group_id": "sg-1",
        "group_name": "n" * 255,
        "requester": None,
        "event_name": "AuthorizeSecurityGroupIngress",
        "event_time": datetime(2026, 3, 2, tzinfo=UTC),
        "change": change,
    }
    return Request(**{**parts, **values})


def message_size(one: Request) -> int:
    """Bytes of the request's SNS message."""
    return len(write_message(RequestMessage(request=one)).encode())


def item_size(one: Request) -> int:
    """Bytes of the request as it stands in a table item."""
    return len(to_bytes(request_to_json(one)))


def test_a_thousand_rules_with_long_descriptions_fit() -> None:
    """Edits too, which show each rule twice: one message, one table item, no splitting."""
    chance = random.Random(1)  # noqa: S311 - the same test data each time
    pairs = [(rule(n, sentence(chance), chance), rule(n, sentence(chance), chance)) for n in range(1000)]
    for change in (
        make_change(added=[before for before, _ in pairs]),
        make_change(modified=[Modification(before=before, after=after) for before, after in pairs]),
    ):
        large = request(change)
        assert message_size(large) < LARGEST_MESSAGE
        assert item_size(large) < LARGEST_ITEM
        assert fitting_parts(large) == (large,)


@pytest.mark.parametrize("is_edit", [False, True], ids=["added", "edited"])
def test_a_thousand_rules_of_random_text_are_asked_in_parts(is_edit: bool) -> None:
    """What cannot be compressed far enough is not lost: every part fits into a message and a table item."""
    chance = random.Random(2)  # noqa: S311 - the same test data each time
    rules = [rule(n, random_text(chance), chance) for n in range(1000)]
    edits = [Modification(before=one, after=replace(one, description=random_text(chance))) for one in rules]
    large = request(make_change(modified=edits) if is_edit else make_change(added=rules))
    assert message_size(large) > LARGEST_MESSAGE
    parts = fitting_parts(large)
    assert len(parts) == (4 if is_edit else 2)
    assert all(message_size(part) <= LARGEST_MESSAGE and item_size(part) < LARGEST_ITEM for part in parts)
    numbered = [f"{large.request_id}-{number}" for number in range(2, len(parts) + 1)]
    assert [part.request_id for part in parts] == [large.request_id, *numbered]
    assert (
        make_change(
            added=[one for part in parts for one in part.change.added],
            modified=[one for part in parts for one in part.change.modified],
        )
        == large.change
    )


@given(strategies.requests(), st.integers(0, 4000))
def test_parts_ask_for_the_whole_and_nothing_else(large: Request, largest: int) -> None:
    """No rule is lost or asked twice, place and requester stay, and a retry makes the same parts."""
    parts = fitting_parts(large, largest=largest)
    assert (
        make_change(
            added=[one for part in parts for one in part.change.added],
            removed=[one for part in parts for one in part.change.removed],
            modified=[one for part in parts for one in part.change.modified],
        )
        == large.change
    )
    assert sorted(one.identity for part in parts for one in part.remaining) == sorted(
        one.identity for one in large.remaining
    )
    assert len({part.request_id for part in parts}) == len(parts)
    of_a_part = ("request_id", "change", "remaining", "status", "operations", "approved", "limits", "reach")
    keep = {name: getattr(large, name) for name in of_a_part}
    assert all(replace(part, **keep) == large for part in parts)
    made = sorted(operation_text(one) for part in parts for one in part.operations)
    assert made == sorted(map(operation_text, large.operations))
    assert {part.status for part in parts if not part.change.is_empty} <= {large.status}
    assert fitting_parts(large, largest=largest) == parts


def test_a_request_that_fits_is_left_alone() -> None:
    """One call stays one request."""
    only = make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"))
    small = request(make_change(added=[only]))
    assert fitting_parts(small) == (small,)
    assert fitting_parts(small, largest=0) == (small,)


def test_a_part_has_what_is_about_its_rules() -> None:
    """Operations, approved rules and time limits; operations on other rules are shared out."""
    chance = random.Random(3)  # noqa: S311 - the same test data each time
    one, two, other = (rule(number, "", chance) for number in (1, 2, 3))
    until = datetime(2026, 3, 3, tzinfo=UTC)
    whole = request(
        make_change(removed=[one, two]),
        operations=(Removed(rule_id=two.rule_id), Removed(rule_id="sgr-3"), Removed(rule=one)),
        approved=(one, two, other),
        limits=((one.identity, until), (two.identity, until)),
        reach=Reach(interfaces=Interfaces(count=1)),
    )
    by_rule = {part.change.removed[0].identity: part for part in fitting_parts(whole, largest=0)}
    first, second = by_rule[one.identity], by_rule[two.identity]
    assert Removed(rule=one) in first.operations
    assert Removed(rule_id=two.rule_id) in second.operations
    assert len(first.operations) + len(second.operations) == 3
    assert first.limits == ((one.identity, until),)
    assert first.reach == second.reach == whole.reach
    assert [held.identity for held in second.approved if held.rule_id] == [two.identity]
    # What only counts with the part's own rules is there without its id.
    assert all(held.rule_id is None for held in second.approved if held != two)


def test_many_operations_that_ask_nothing_are_told_in_parts() -> None:
    """A thousand edits of rules that were gone: they ask nothing, and still have to be heard."""
    chance = random.Random(4)  # noqa: S311 - the same test data each time
    edits = (rule(number, random_text(chance), chance) for number in range(1000))
    made = tuple(Edited(rule_id=one.rule_id, after=one, was_gone=True) for one in edits)
    whole = request(Change(), status="observed", operations=made)
    parts = fitting_parts(whole)
    assert len(parts) > 1
    assert all(message_size(part) <= LARGEST_MESSAGE for part in parts)
    assert [one for part in parts for one in part.operations] == list(made)
    assert {part.status for part in parts} == {"observed"}


def test_a_part_that_asks_nothing_is_observed() -> None:
    """Nobody can decide about a part without a change."""
    chance = random.Random(5)  # noqa: S311 - the same test data each time
    one, two, three = (rule(number, "", chance) for number in (1, 2, 3))
    whole = request(make_change(added=[one]), operations=tuple(Added(rule=each) for each in (one, two, three)))
    parts = fitting_parts(whole, largest=0)
    assert [(part.status, part.change.is_empty) for part in parts] == [
        ("pending", False),
        *[("observed", True)] * (len(parts) - 1),
    ]
    assert len(parts) > 1
