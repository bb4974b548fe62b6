"""The verb ``undeploy``: removes an app, and says what stays.

Chalice deletes what it recorded; an interrupted deployment recorded nothing. So everything that is left is then looked
up by its name.
"""

from __future__ import annotations

from collections.abc import Callable

from deploy import foundation, running_chalice, settings, staging
from deploy.console import done, note, step
from deploy.names import FUNCTIONS, RULES, TABLES
from deploy.target import Target

Ask = Callable[[str], str]


def undeploy(target: Target, *, purge: bool, yes: bool, ask: Ask = input) -> int:
    """Delete an app and its foundation, once somebody has typed the account's id.

    Args:
        target: where.
        purge: delete the table of requests and the functions' logs too; they are the record of who decided what.
        yes: do not ask.
        ask: shows a question and returns the answer.
    """
    place = target.place
    if not (yes or _is_meant(target, purge, ask)):
        note("Nothing was removed.")
        return 1
    step(f"removing {place.app} from account {place.account}, {place.region}, stage {place.chalice_stage}")
    if foundation.find_stack(target) is None and settings.configuration(target, FUNCTIONS[place.app][0]) is None:
        note(
            "Neither stack nor functions are here; is this the right account, region and stage? "
            "Looking for anything that was left."
        )
    running_chalice.delete(target, staging.deployment_project(place, {}))
    _delete_unrecorded(target)
    done("functions, rules, subscriptions and permissions are deleted")
    keeps_table = place.app == "central" and not purge
    if not keeps_table and foundation.find_table(target) is not None:
        target.client("dynamodb").update_table(TableName=TABLES[place.app], DeletionProtectionEnabled=False)
    foundation.delete(target)
    done("the foundation is deleted")
    if purge:
        _delete_table(target)
        _delete_logs(target)
    if keeps_table:
        note(f"The table {TABLES['central']} stays, with every request and decision; the next deployment uses it.")
    if not purge:
        note(f"The log groups {place.log_group('')}* stay until their retention ends.")
    if place.app == "central":
        note("Member accounts still revert changes, and nobody is asked any more: undeploy them, or switch them.")
    else:
        note("Requests of this account that are still pending in Slack can no longer be applied.")
    return 0


def _is_meant(target: Target, purge: bool, ask: Ask) -> bool:
    """Say what would be lost, and return whether somebody typed the account's id."""
    place = target.place
    note(f"This removes the {place.app} app from account {place.account}, {place.region}, stage {place.chalice_stage}.")
    if place.app == "member":
        note("Its security groups are no longer guarded, and its baselines, what counts as approved, are deleted.")
    elif purge:
        note("The table of requests, with every decision ever made, and the logs are deleted.")
    try:
        return ask(f"  Type {place.account} to go on (or use --yes): ").strip() == place.account
    except EOFError:  # nobody is there to answer
        return False


def _delete_unrecorded(target: Target) -> None:
    """Delete rules, functions and the central app's roles that Chalice has no record of."""
    place = target.place
    for name in RULES[place.app]:
        _delete_rule(target, place.rule(name))
    for name in FUNCTIONS[place.app]:
        target.find("lambda", "delete_function", FunctionName=place.function(name))
        if place.app == "central":  # the member app's role belongs to the foundation
            _delete_role(target, place.function_role(name))


def _delete_rule(target: Target, rule: str) -> None:
    found = target.find("events", "list_targets_by_rule", Rule=rule)
    if found is None:
        return
    if found["Targets"]:
        target.client("events").remove_targets(Rule=rule, Ids=[one["Id"] for one in found["Targets"]])
    target.find("events", "delete_rule", Name=rule)


def _delete_role(target: Target, role: str) -> None:
    found = target.find("iam", "list_role_policies", RoleName=role)
    if found is None:
        return
    for policy in found["PolicyNames"]:
        target.client("iam").delete_role_policy(RoleName=role, PolicyName=policy)
    target.client("iam").delete_role(RoleName=role)


def _delete_table(target: Target) -> None:
    name = TABLES[target.place.app]
    if target.find("dynamodb", "delete_table", TableName=name) is not None:
        target.client("dynamodb").get_waiter("table_not_exists").wait(TableName=name)
        done(f"the table {name} is deleted")


def _delete_logs(target: Target) -> None:
    for name in FUNCTIONS[target.place.app]:
        target.find("logs", "delete_log_group", logGroupName=target.place.log_group(name))
    done("the logs are deleted")
