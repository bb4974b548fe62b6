"""Which failed calls ask, and why the others do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.cloudtrail.call import CallKind
from member.chalicelib.decision_of_asks import DRY_RUN, REFUSED, reason_not_to_ask
from shared.domain.caller import Caller
from shared.domain.policy import Policy
from tests.support.examples import ACCOUNT, ADA, NOON, call

USER = f"arn:aws:iam::{ACCOUNT}:user/ada"
KNOWN = replace(ADA, principal_arn=USER)
POLICY = Policy(ask_by_dry_run=True, ask_by_refusal=(USER,), approvers=("U061F7AUR",))
LOAD_BALANCER = Caller(
    type="AssumedRole",
    account=ACCOUNT,
    principal_arn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRole",
    name="ElasticLoadBalancing",
)


def reason(policy: Policy = POLICY, error: str = REFUSED, *, is_own: bool = False, **values: Any) -> str:
    """Return why a call of Ada's asks nothing, an hour after it was made."""
    made = call(values.pop("kind", "add"), error_code=error, **{"caller": KNOWN, **values})
    return reason_not_to_ask(policy, made, is_own=is_own, now=NOON + timedelta(hours=1))


@pytest.mark.parametrize("error", [DRY_RUN, REFUSED])
@pytest.mark.parametrize("kind", ["add", "remove", "modify", "describe"])
def test_calls_that_change_rules_ask(kind: CallKind, error: str) -> None:
    """Whatever is guarded, and in whichever mode."""
    assert reason(replace(POLICY, guard=(), mode="observe"), error, kind=kind) == ""


@pytest.mark.parametrize(
    ("policy", "values", "words"),
    [
        (POLICY, {"kind": "create_group", "name": "CreateSecurityGroup"}, "CreateSecurityGroup changes no rule"),
        (POLICY, {"error": "Client.InternalError"}, "the call failed (Client.InternalError)"),
        (replace(POLICY, ask_by_dry_run=False), {"error": DRY_RUN}, "policy key ask_by_dry_run"),
        (replace(POLICY, ask_by_refusal=()), {}, "policy key ask_by_refusal"),
        (replace(POLICY, ask_by_refusal=("*",)), {"caller": ADA}, "policy key ask_by_refusal"),
        (replace(POLICY, approvers=()), {}, "policy key approvers"),
        (POLICY, {"is_own": True}, "the product made this call itself"),
        (POLICY, {"caller": replace(KNOWN, account="999999999999")}, "another account (999999999999)"),
        (replace(POLICY, exempt_principals=(USER,)), {}, "policy key exempt.principals"),
        (POLICY, {"error": DRY_RUN, "caller": LOAD_BALANCER}, "policy key exempt.service_linked_roles"),
        (replace(POLICY, exempt_groups=("sg-*",)), {"error": DRY_RUN}, "policy key exempt.groups"),
        (replace(POLICY, expire_after_hours=1), {}, "more than 1 hours ago"),
    ],
)
def test_every_other_call_has_a_reason_not_to_ask(policy: Policy, values: dict[str, Any], words: str) -> None:
    """Logged for operators, with the key that decided."""
    assert words in reason(policy, **values)


def test_a_refusal_in_an_exempt_group_asks() -> None:
    """What AWS refuses can be had in no other way."""
    assert reason(replace(POLICY, exempt_groups=("sg-*",))) == ""


def test_a_caller_whose_account_is_not_known_may_ask() -> None:
    """By its principal's ARN; its requester then is nobody known, and two people have to approve."""
    assert reason(caller=replace(KNOWN, account="")) == ""
