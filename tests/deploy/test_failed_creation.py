"""A first deployment that failed is repaired by running it again, and never at the price of what was approved."""

from __future__ import annotations

import boto3
import pytest

from deploy import foundation
from deploy.errors import DeployError
from deploy.names import Place
from deploy.stack_failures import reasons, was_never_created
from deploy.target import Target
from tests.deploy.stacks import PROTECTED, Stacks, Tables

WRONG_CENTRAL = "Invalid parameter: PrincipalNotFound"
MEMBER = Place(app="member", stage="prod", partition="aws", account="222222222222", region="eu-west-1")


def made(*failures: str) -> tuple[Stacks, Target]:
    """Return an empty account in which the next creations fail for these reasons, and a target there."""
    tables = Tables()
    stacks = Stacks(tables, list(failures))
    clients = {"cloudformation": stacks, "dynamodb": tables}
    return stacks, Target(place=MEMBER, profile="", session=boto3.Session(region_name="eu-west-1"), _clients=clients)


def failing(target: Target) -> str:
    """Update the foundation, and return why that failed."""
    with pytest.raises(DeployError) as told:
        foundation.update(target, {})
    return str(told.value)


def test_a_failed_creation_is_repaired_by_running_it_again() -> None:
    """The rollback left the protected table behind; nothing has ever used it, so it goes."""
    stacks, target = made(WRONG_CENTRAL)
    assert f"ApplyTopicPolicy: {WRONG_CENTRAL}" in failing(target)
    assert stacks.status == "ROLLBACK_FAILED"
    assert foundation.update(target, {})
    assert (stacks.status, stacks.tables.protected) == ("CREATE_COMPLETE", True)


def test_the_cause_is_named_before_what_the_rollback_failed_on() -> None:
    """And what was only cancelled is not named at all."""
    _, target = made(WRONG_CENTRAL)
    said = failing(target)
    assert said.index(WRONG_CENTRAL) < said.index(PROTECTED)
    assert "cancelled" not in said


def test_only_failures_of_the_present_operation_are_shown() -> None:
    """A second attempt that fails for another reason does not show the reason of the first."""
    _, target = made(WRONG_CENTRAL, "not authorized to perform: iam:CreateRole")
    failing(target)
    said = failing(target)
    assert "iam:CreateRole" in said
    assert WRONG_CENTRAL not in said


def test_a_stack_that_an_earlier_version_could_not_delete_is_repaired() -> None:
    """The stack has been in DELETE_FAILED since; its events prove that its creation failed."""
    stacks, target = made(WRONG_CENTRAL)
    failing(target)
    stacks.delete_stack()
    assert stacks.status == "DELETE_FAILED"
    assert foundation.update(target, {})
    assert stacks.status == "CREATE_COMPLETE"


def test_the_baselines_of_a_stack_that_somebody_tried_to_delete_are_kept() -> None:
    """The protection did its work; only a person may end it."""
    stacks, target = made()
    foundation.update(target, {})
    stacks.delete_stack()
    said = failing(target)
    assert "make undeploy-member" in said
    assert PROTECTED in said
    assert (stacks.status, stacks.tables.protected) == ("DELETE_FAILED", True)


def test_an_unprotected_table_no_longer_holds_up_a_deletion() -> None:
    """Undeploying takes the protection off first; a deletion that failed on something else is continued."""
    stacks, target = made()
    foundation.update(target, {})
    stacks.note("DELETE_FAILED")
    stacks.tables.protected = False
    assert foundation.update(target, {})
    assert (stacks.status, stacks.tables.protected) == ("CREATE_COMPLETE", True)


def test_a_table_that_was_there_before_the_stack_keeps_its_protection() -> None:
    """The creation fails on it; it belongs to somebody, or to an earlier installation."""
    stacks, target = made()
    stacks.tables.protected = True
    for _ in range(2):
        assert "State: securityGroupState already exists" in failing(target)
        assert stacks.tables.protected


def test_forgotten_events_prove_nothing() -> None:
    """Then the table keeps its protection, and a person is asked."""
    assert not was_never_created([])
    assert reasons([]) == []
