"""The verb ``undeploy``: takes an app away, and says what stays."""

from __future__ import annotations

from botocore.exceptions import ClientError

from deploy import foundation, running_chalice, staging
from deploy.console import done, note, step
from deploy.names import FUNCTIONS, TABLES
from deploy.target import Target, code_of


def undeploy(target: Target, *, purge: bool) -> None:
    """Delete an app and its foundation.

    Args:
        target: where.
        purge: delete the table of requests and the functions' logs too; they are the record of who decided what.
    """
    place = target.place
    step(f"taking {place.app} away from account {place.account}, {place.region}, stage {place.chalice_stage}")
    stage = staging.stage_for(place, {}, member_role=f"arn:{place.partition}:iam::{place.account}:role/{place.role}")
    project = staging.make_project(
        staging.build_folder(place), place.app, place.chalice_stage, stage, staging.place_scope(place)
    )
    running_chalice.delete(target, project)
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
    if place.app == "member":
        note("Requests of this account that are still pending in Slack can no longer be applied.")


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
