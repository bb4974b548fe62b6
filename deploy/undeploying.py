"""The verb ``undeploy``: takes an app away, and says what stays.

Chalice deletes what it recorded; of a deployment that was interrupted it recorded nothing. So what is left is looked
for by its name afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from deploy import foundation, running_chalice, settings, staging
from deploy.console import done, note, step
from deploy.names import FUNCTIONS, RULES, TABLES
from deploy.target import Target, code_of


def undeploy(target: Target, *, purge: bool) -> None:
    """Delete an app and its foundation.

    Args:
        target: where.
        purge: delete the table of requests and the functions' logs too; they are the record of who decided what.
    """
    place = target.place
    step(f"taking {place.app} away from account {place.account}, {place.region}, stage {place.chalice_stage}")
    if foundation.find_stack(target) is None and settings.configuration(target, FUNCTIONS[place.app][0]) is None:
        note("Neither stack nor functions are here; is this the right account, region and stage? Looking for the rest.")
    stage = staging.stage_for(place, {}, member_role=f"arn:{place.partition}:iam::{place.account}:role/{place.role}")
    project = staging.make_project(
        staging.build_folder(place), place.app, place.chalice_stage, stage, staging.place_scope(place)
    )
    running_chalice.delete(target, project)
    _delete_unrecorded(target)
    done("functions, rules, subscriptions and permissions are gone")
    keeps_table = place.app == "central" and not purge
    if not keeps_table:
        _unprotect(target)
    foundation.delete(target)
    done("the foundation is gone")
    if purge:
        _delete_table(target)
        _delete_logs(target)
    if keeps_table:
        note(
            f"The table {TABLES['central']} stays, with every request and decision; the next "
            "deployment takes it up again."
        )
    if not purge:
        note(f"The log groups {place.log_group('')}* stay until their retention ends.")
    if place.app == "central":
        note("Member accounts still take changes back, and nobody is asked any more: undeploy them, or switch them.")
    else:
        note("Requests of this account that are still pending in Slack can no longer be applied.")


def _delete_unrecorded(target: Target) -> None:
    """Delete rules, functions and the central app's roles that Chalice knows nothing of."""
    place = target.place
    for name in RULES[place.app]:
        _unless_missing(_delete_rule, target, place.rule(name))
    for name in FUNCTIONS[place.app]:
        _unless_missing(_delete_function, target, place.function(name))
        if place.app == "central":  # the member app's role belongs to the foundation
            _unless_missing(_delete_role, target, place.function_role(name))


def _unless_missing(delete: Callable[[Target, str], None], target: Target, name: str) -> None:
    try:
        delete(target, name)
    except ClientError as error:
        if code_of(error) not in ("ResourceNotFoundException", "NoSuchEntity"):
            raise


def _delete_function(target: Target, function: str) -> None:
    target.client("lambda").delete_function(FunctionName=function)


def _delete_rule(target: Target, rule: str) -> None:
    events = target.client("events")
    targets = [one["Id"] for one in events.list_targets_by_rule(Rule=rule)["Targets"]]
    if targets:
        events.remove_targets(Rule=rule, Ids=targets)
    events.delete_rule(Name=rule)


def _delete_role(target: Target, role: str) -> None:
    iam = target.client("iam")
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    iam.delete_role(RoleName=role)


def _unprotect(target: Target) -> None:
    if foundation.find_table(target) is not None:
        target.client("dynamodb").update_table(TableName=TABLES[target.place.app], DeletionProtectionEnabled=False)


def _delete_table(target: Target) -> None:
    if foundation.find_table(target) is None:
        return
    name = TABLES[target.place.app]
    target.client("dynamodb").delete_table(TableName=name)
    target.client("dynamodb").get_waiter("table_not_exists").wait(TableName=name)
    done(f"the table {name} is gone")


def _delete_logs(target: Target) -> None:
    for name in FUNCTIONS[target.place.app]:
        try:
            target.client("logs").delete_log_group(logGroupName=target.place.log_group(name))
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
    done("the logs are gone")
