"""The policy's judgements: one test, or more, for every key of ``policy.toml``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given

from member.chalicelib.cloudtrail.call import Call, CallKind
from member.chalicelib.cloudtrail.event import read_head
from member.chalicelib.decision import decide, decide_drift, denied_at_once
from shared.domain.caller import Caller
from shared.domain.change import GuardedKind
from shared.domain.policy import Policies, Policy, may_decide, person_behind, strictest
from shared.domain.rule import cidr, make_rule
from tests.support import events, strategies

ADA, BOB = "U061F7AUR", "U0BOB0BOB"
BARE = make_rule(direction="ingress", protocol="tcp", source=cidr("0.0.0.0/0"), from_port=22, to_port=22)


def call(name: str = "authorize_flat", **fields: object) -> Call:
    """A call of ``tests/data/cloudtrail``, with other fields of its record where the test says so."""
    event = events.example(name)
    event["detail"].update(fields)
    return read_head(event, datetime(2026, 10, 1, tzinfo=UTC))


ONE_OF_EACH: dict[CallKind, str] = {
    "add": "authorize_flat",
    "remove": "revoke_by_rule_ids",
    "modify": "modify_one_rule",
    "describe": "describe_one_permission",
}
GUARDED_AS: dict[CallKind, GuardedKind] = {
    "add": "add",
    "remove": "remove",
    "modify": "modify",
    "describe": "modify",
}


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_mode_enforce_reverts(kind: CallKind) -> None:
    """Nothing stays in force before somebody approved it."""
    assert decide(Policy(mode="enforce"), call(ONE_OF_EACH[kind]), is_own=False).verb == "revert"


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_mode_observe_reports_what_would_have_been_reverted(kind: CallKind) -> None:
    """Observe mode touches nothing and says so."""
    decision = decide(Policy(mode="observe"), call(ONE_OF_EACH[kind]), is_own=False)
    assert decision.verb == "report"
    assert "policy key mode" in decision.reason


@pytest.mark.parametrize("name", ["authorize_egress", "revoke_egress", "describe_by_rule_ids"])
def test_directions_say_which_rules_are_guarded(name: str) -> None:
    """Outbound rules are ignored unless the policy lists them."""
    ignored = decide(Policy(directions=("ingress",)), call(name), is_own=False)
    assert ignored.verb == "ignore"
    assert "policy key directions" in ignored.reason
    assert decide(Policy(directions=("ingress", "egress")), call(name), is_own=False).verb == "revert"
    assert decide(Policy(directions=("egress",)), call("authorize_flat"), is_own=False).verb == "ignore"


def test_directions_cannot_be_judged_from_an_edit_by_rule_id() -> None:
    """ModifySecurityGroupRules does not say the direction, so it is guarded until the group's rules are known."""
    assert decide(Policy(directions=("egress",)), call("modify_one_rule"), is_own=False).verb == "revert"


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_guard_says_which_kinds_are_reverted(kind: CallKind) -> None:
    """A kind left out is allowed and reported; the others are still reverted."""
    guarded = GUARDED_AS[kind]
    others = tuple(one for one in get_args(GuardedKind) if one != guarded)
    reported = decide(Policy(guard=others), call(ONE_OF_EACH[kind]), is_own=False)
    assert reported.verb == "report"
    assert f"'{guarded}'" in reported.reason
    assert "policy key guard" in reported.reason
    assert decide(Policy(guard=(guarded,)), call(ONE_OF_EACH[kind]), is_own=False).verb == "revert"


@pytest.mark.parametrize("description", ["", "   "])
def test_require_description_denies_a_bare_rule_at_once(description: str) -> None:
    """An added rule without a description, or with blanks for one, is denied; the sentence names rule and key."""
    bare = replace(BARE, description=description)
    reason = denied_at_once(Policy(require_description=True), [replace(BARE, description="office"), bare])
    assert "require_description" in reason
    assert bare.identity in reason


def test_require_description_lets_described_rules_be_asked() -> None:
    """With a description, or without the key, people decide."""
    assert denied_at_once(Policy(require_description=True), [replace(BARE, description="office")]) == ""
    assert denied_at_once(Policy(require_description=True), []) == ""
    assert denied_at_once(Policy(require_description=False), [BARE]) == ""


def test_expire_and_remind_hours_and_drift_grace_minutes_are_durations() -> None:
    """Hours and minutes of the file become durations of that length."""
    policy = Policy(expire_after_hours=1.5, remind_after_hours=0.5, drift_grace_minutes=2)
    assert policy.expires_after == timedelta(minutes=90)
    assert policy.reminds_after == timedelta(minutes=30)
    assert policy.drift_grace == timedelta(minutes=2)


def test_no_approvers_listed_means_everybody_in_the_channel() -> None:
    """Whoever can click may decide."""
    assert may_decide(Policy(), user_id=BOB, approving=True, requester=None).allowed


def test_approvers_alone_decide() -> None:
    """Somebody who is not listed may neither approve nor deny, and is told why."""
    policy = Policy(approvers=(ADA,))
    assert may_decide(policy, user_id=ADA, approving=True, requester=None).allowed
    for approving in (True, False):
        verdict = may_decide(policy, user_id=BOB, approving=approving, requester=None)
        assert not verdict.allowed
        assert "approvers" in verdict.reason


def test_the_requester_cannot_approve_where_self_approval_is_off() -> None:
    """Seed: the requester could approve. Somebody else can, and the requester can still deny."""
    people = (("arn:aws:iam::*:user/ada", ADA),)
    requester = call().caller
    strict = Policy(allow_self_approval=False, people=people)
    refused = may_decide(strict, user_id=ADA, approving=True, requester=requester)
    assert not refused.allowed
    assert "yourself" in refused.reason
    assert may_decide(strict, user_id=ADA, approving=False, requester=requester).allowed
    assert may_decide(strict, user_id=BOB, approving=True, requester=requester).allowed
    assert may_decide(
        replace(strict, allow_self_approval=True), user_id=ADA, approving=True, requester=requester
    ).allowed


def test_of_an_unknown_requester_anybody_may_approve() -> None:
    """Whether a click is the requester's own is not known; two people have to approve (``needs_of``)."""
    strict = Policy(allow_self_approval=False)
    for requester in (call().caller, None):
        assert may_decide(strict, user_id=BOB, approving=True, requester=requester).allowed


def test_an_ask_is_not_approved_by_its_requester_where_others_may_approve_their_own() -> None:
    """It always needs somebody else; the requester may deny it."""
    policy = Policy(people=(("arn:aws:iam::*:user/ada", ADA),))
    requester = call().caller
    refused = may_decide(policy, user_id=ADA, approving=True, requester=requester, is_ask=True)
    assert not refused.allowed
    assert "asked for this change yourself" in refused.reason
    assert may_decide(policy, user_id=ADA, approving=False, requester=requester, is_ask=True).allowed
    assert may_decide(policy, user_id=BOB, approving=True, requester=requester, is_ask=True).allowed


def test_people_map_users_and_sessions_to_slack() -> None:
    """The first glob that fits the ARN of the user or session names the Slack user."""
    policy = Policy(
        people=(("arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com", ADA), ("arn:aws:iam::*:user/*", BOB))
    )
    assert person_behind(policy, call("revoke_by_rule_ids").caller) == ADA
    assert person_behind(policy, call().caller) == BOB
    assert person_behind(policy, call("authorize_refused").caller) is None


def test_people_leave_out_sessions_that_choose_their_names() -> None:
    """Eve may call her session of any role ada@example.com; such a name says nothing, whatever the pattern."""
    policy = Policy(allow_self_approval=False, people=(("*", ADA), ("arn:aws:sts::*:assumed-role/*/ada@*", ADA)))
    eve = call(userIdentity=events.assumed_role("developer", "ada@example.com")).caller
    assert person_behind(policy, eve) is None
    assert person_behind(policy, Caller(type="AWSService", name="a service")) is None


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("authorize_flat", "arn:aws:iam::222222222222:user/ada"),
        ("authorize_omitted_request", "arn:aws:iam::*:role/deploy"),
        ("revoke_by_rule_ids", "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_NetworkAdmin_*"),
    ],
    ids=["user", "role", "permission set"],
)
def test_exempt_principals_are_allowed(name: str, pattern: str) -> None:
    """A glob over the user's or the role's ARN lets the change pass into the baseline, and is named in the reason."""
    decision = decide(Policy(exempt_principals=("arn:other", pattern)), call(name), is_own=False)
    assert decision.verb == "allow"
    assert f"exempt.principals: {pattern}" in decision.reason


@pytest.mark.parametrize(
    "identity",
    [
        events.assumed_role("developer", "deploy"),
        events.assumed_role("deploy2", "s"),
        events.iam_user("deploy"),
        {**events.assumed_role("developer", "role=deploy"), "sessionContext": {}},
        {**events.assumed_role("developer", "s"), "invokedBy": "deploy"},
    ],
    ids=["session name", "longer role name", "user", "session name without issuer", "invokedBy"],
)
def test_a_look_alike_of_an_exempt_principal_is_reverted(identity: events.Json) -> None:
    """Session names and the like are the caller's choice; globs are matched with roles and users alone."""
    policy = Policy(exempt_principals=("*role?deploy",))
    assert decide(policy, call(userIdentity=identity), is_own=False).verb == "revert"


def test_exempt_groups_are_allowed() -> None:
    """A glob over group ids lets every change of such a group pass."""
    decision = decide(Policy(exempt_groups=("sg-0a1b*",)), call(), is_own=False)
    assert decision.verb == "allow"
    assert "exempt.groups: sg-0a1b*" in decision.reason
    assert decide(Policy(exempt_groups=("sg-1*",)), call(), is_own=False).verb == "revert"


def test_an_unknown_group_is_not_exempt() -> None:
    """Where the event has no group id, a glob that fits everything does not fit it."""
    assert decide(Policy(exempt_groups=("*",)), replace(call(), group_id=""), is_own=False).verb == "revert"


def test_accounts_have_policies_of_their_own() -> None:
    """The policy of an account replaces the general one, for that account alone."""
    general, special = Policy(), Policy(mode="observe")
    policies = Policies(general=general, accounts=(("222222222222", special),))
    assert policies.for_account("222222222222") is special
    assert policies.for_account("333333333333") is general
    assert (policies.problem, Policies(general=Policy(problem="no file")).problem) == ("", "no file")


def test_what_rules_mean_may_change_and_is_reported() -> None:
    """A prefix list that gets other entries touches no group."""
    indirect = replace(call(), kind="indirect", group_id="")
    assert decide(Policy(), indirect, is_own=False).verb == "report"


@pytest.mark.parametrize(
    ("policy", "verb", "key"),
    [
        (Policy(drift="revert"), "revert", "found by the snapshot"),
        (Policy(drift="report"), "report", "policy key drift"),
        (Policy(drift="revert", mode="observe"), "report", "policy key mode"),
        (Policy(drift="revert", exempt_groups=("sg-0*",)), "allow", "policy key exempt.groups"),
    ],
)
def test_drift_is_reverted_or_reported(policy: Policy, verb: str, key: str) -> None:
    """A difference that no event explains is met as the key drift says; observe mode and exempt groups come first."""
    decision = decide_drift(policy, events.GROUP)
    assert decision.verb == verb
    assert key in decision.reason


@pytest.mark.parametrize("name", ["authorize_refused", "authorize_dry_run"])
def test_a_call_that_failed_is_ignored(name: str) -> None:
    """It changed nothing, and the reason has the error code."""
    decision = decide(Policy(), call(name), is_own=False)
    assert decision.verb == "ignore"
    assert "Client." in decision.reason


def test_own_calls_are_ignored_even_in_observe_mode() -> None:
    """The product never reacts to itself."""
    for policy in (Policy(), Policy(mode="observe"), Policy(guard=())):
        assert decide(policy, call(), is_own=True).verb == "ignore"


@pytest.mark.parametrize("listed", [("*",), ("ec2", "elasticloadbalancing"), ("elastic*",)])
def test_exempt_service_linked_roles_are_reported(listed: tuple[str, ...]) -> None:
    """A listed AWS service changes rules without asking, and it is reported; the reason names service and key."""
    policy = Policy(exempt_service_linked_roles=listed)
    decision = decide(policy, call(userIdentity=events.service_linked()), is_own=False)
    assert decision.verb == "report"
    key = f"policy key exempt.service_linked_roles: {listed[-1]}"
    assert decision.reason == f"the AWS service elasticloadbalancing may change rules without asking ({key})"


@pytest.mark.parametrize("listed", [(), ("ec2",), ("elastic",), ("elasticloadbalancing.amazonaws.com",)])
def test_exempt_service_linked_roles_leave_out_other_services(listed: tuple[str, ...]) -> None:
    """A service that is not listed is reverted like anybody."""
    policy = Policy(exempt_service_linked_roles=listed)
    assert decide(policy, call(userIdentity=events.service_linked()), is_own=False).verb == "revert"


def test_exempt_service_linked_roles_are_those_of_the_groups_own_account() -> None:
    """A service at work in another account has no business in this one's groups."""
    identity = events.service_linked(account="333333333333")
    assert decide(Policy(), call(userIdentity=identity), is_own=False).verb == "revert"


@pytest.mark.parametrize("name", ["create_group", "delete_group"])
def test_making_and_deleting_groups_is_allowed(name: str) -> None:
    """They are followed for the baselines and never reverted."""
    assert decide(Policy(), call(name), is_own=False).verb == "allow"


@given(strategies.calls())
def test_nothing_guarded_slips_through_the_strictest_policy(some: Call) -> None:
    """With every direction and kind guarded and nobody exempt, each successful change of rules is reverted."""
    strict = Policy(directions=("ingress", "egress"), exempt_service_linked_roles=())
    verb = decide(strict, some, is_own=False).verb
    changes_rules = not some.error_code and some.kind in GUARDED_AS
    assert (verb == "revert") == changes_rules


@given(strategies.calls())
def test_a_decision_does_not_depend_on_who_acted_for_the_caller(some: Call) -> None:
    """``invokedBy`` is shown to people and decides nothing."""
    other = replace(some, caller=replace(some.caller, invoked_by="elasticloadbalancing.amazonaws.com"))
    assert decide(Policy(), some, is_own=False) == decide(Policy(), other, is_own=False)


STRICTEST = strictest("Policy file policy.toml cannot be read.").for_account("222222222222")


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_without_a_policy_every_kind_of_change_is_reverted(kind: CallKind) -> None:
    """The file that would exempt somebody cannot be read, so nobody is exempt; differences are reverted, too."""
    assert decide(STRICTEST, call(ONE_OF_EACH[kind]), is_own=False).verb == "revert"
    assert decide_drift(STRICTEST, events.GROUP).verb == "revert"
    assert denied_at_once(STRICTEST, [BARE]) == ""


def test_without_a_policy_aws_services_are_reported() -> None:
    """Load balancers keep working while the file is corrected."""
    assert decide(STRICTEST, call(userIdentity=events.service_linked()), is_own=False).verb == "report"


@pytest.mark.parametrize("approving", [True, False])
def test_without_a_policy_nobody_decides(approving: bool) -> None:
    """Who may decide is not known; the clicker reads why, and what to do."""
    verdict = may_decide(STRICTEST, user_id=BOB, approving=approving, requester=call().caller)
    assert not verdict.allowed
    assert "Policy file policy.toml cannot be read." in verdict.reason
    assert "Your click changed nothing" in verdict.reason
