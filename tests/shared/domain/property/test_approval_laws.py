"""Laws of several approvals: whatever is clicked in whatever order, by whomever, under whatever policies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.approval import Judgement, Terms, counting, judge
from shared.domain.caller import Caller
from shared.domain.needs import Needs, is_approver
from shared.domain.policy import Policy, may_decide
from shared.domain.request import Approver

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
ADA = Caller(type="IAMUser", arn="arn:aws:iam::222222222222:user/ada", name="ada")
PEOPLE = tuple(f"U{n}" for n in range(5))
HOURS = (None, 1.0, 8.0, 24.0)

people = st.sampled_from(PEOPLE)
lists = st.lists(st.sampled_from([*PEOPLE, "S1"]), min_size=1, max_size=5, unique=True).map(tuple)
policies = st.builds(
    Policy,
    approvers=st.just(()) | lists,
    allow_self_approval=st.booleans(),
    offer_hours=st.sampled_from([(), (8.0,), (1.0, 24.0)]),
    people=st.sampled_from([(), (("*:user/ada", "U0"),)]),
    problem=st.sampled_from(["", "", "", "It cannot be read."]),
)
needed = st.builds(
    Needs,
    approvals=st.integers(1, 3),
    approvers=st.lists(lists, max_size=2).map(tuple),
    max_hours=st.sampled_from([None, None, 8.0]),
    deny=st.sampled_from(["", "", "", "Never."]),
)
terms = st.builds(
    Terms,
    policy=policies,
    needs=needed,
    requester=st.sampled_from([None, ADA]),
    is_ask=st.booleans(),
    takes_hours=st.booleans(),
)
clicks = st.lists(st.builds(Approver, by=people, at=st.just(NOON), hours=st.sampled_from(HOURS)), max_size=12)


def play(held: Sequence[Terms], made: Sequence[Approver]) -> tuple[tuple[Approver, ...], Judgement | None]:
    """Make the clicks one after the other; return the approvals that are stored then, and the decision."""
    stored: tuple[Approver, ...] = ()
    for each, click in zip(held, made, strict=False):
        judged = judge(each, stored, click, approving=True)
        if judged.outcome in ("counted", "approved"):
            stored = judged.approvals
        if judged.outcome == "approved":
            return stored, judged
    return stored, None


def may(one: Terms, user_id: str) -> bool:
    """Say whether somebody may approve, by the two judgements that the terms are made of."""
    requester, policy = one.requester, one.policy
    verdict = may_decide(policy, user_id=user_id, approving=True, requester=requester, is_ask=one.is_ask)
    return verdict.allowed and is_approver(one.needs, (user_id,)) and not one.needs.deny


@given(st.lists(terms, min_size=1, max_size=3), clicks)
def test_what_is_approved_was_approved_by_enough_different_people_who_may(
    held: list[Terms], made: list[Approver]
) -> None:
    """By the policy at the last click, whatever other policies held before; nobody is stored twice."""
    over_time = [held[min(index * len(held) // max(len(made), 1), len(held) - 1)] for index in range(len(made))]
    stored, decision = play(over_time, made)
    assert len({one.by for one in stored}) == len(stored)
    if decision is None:
        return
    last = over_time[_decided_at(over_time, made)]
    assert len(stored) >= last.needs.approvals
    assert all(may(last, one.by) for one in stored)
    assert set(stored) <= set(made)


def _decided_at(held: Sequence[Terms], made: Sequence[Approver]) -> int:
    return next(index for index in range(len(made)) if play(held[: index + 1], made[: index + 1])[1] is not None)


@given(terms, clicks)
def test_it_is_approved_as_soon_as_enough_people_have_clicked_and_not_before(one: Terms, made: list[Approver]) -> None:
    """Under one policy the order does not matter: what counts is how many different people made a click that holds."""
    valid = {click.by for click in made if judge(one, (), click, approving=True).outcome in ("counted", "approved")}
    _, decision = play([one] * len(made), made)
    assert (decision is not None) == (len(valid) >= one.needs.approvals)


@given(terms, clicks)
def test_hours_are_never_more_than_anybody_chose_or_policy_allows(one: Terms, made: list[Approver]) -> None:
    """And what opens nothing has none."""
    stored, decision = play([one] * len(made), made)
    if decision is None:
        return
    assert (decision.hours is None) == (not one.takes_hours or all(each.hours is None for each in stored))
    if decision.hours is not None:
        assert decision.hours in one.hours
        assert all(each.hours is None or decision.hours <= each.hours for each in stored)
    assert one.is_for_good or decision.hours is not None


@given(terms, clicks, people)
def test_a_shorter_list_never_decides_more(one: Terms, made: list[Approver], gone: str) -> None:
    """Whoever is taken from every list approves nothing any more, and nothing is approved that was not before."""
    needs = Needs(
        approvals=one.needs.approvals,
        approvers=(*one.needs.approvers, tuple(each for each in PEOPLE if each != gone)),
        max_hours=one.needs.max_hours,
        deny=one.needs.deny,
    )
    fewer = Terms(
        policy=one.policy,
        needs=needs,
        requester=one.requester,
        is_ask=one.is_ask,
        takes_hours=one.takes_hours,
    )
    assert set(counting(fewer, made)) <= set(counting(one, made))
    assert gone not in {each.by for each in counting(fewer, made)}
    if play([fewer] * len(made), made)[1] is not None:
        assert play([one] * len(made), made)[1] is not None


@given(terms, st.lists(people, max_size=5), people)
def test_a_denial_depends_on_nobody_who_approved(one: Terms, approved: list[str], by: str) -> None:
    """It is judged alone, and whoever may approve may deny."""
    earlier = [Approver(by=each, at=NOON) for each in approved]
    click = Approver(by=by, at=NOON)
    alone = judge(one, (), click, approving=False).outcome
    assert judge(one, earlier, click, approving=False).outcome == alone
    if may(one, by):
        assert alone == "denied"
