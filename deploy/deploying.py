"""The verbs ``central`` and ``member``: from preflight to what to do next. Run again to upgrade, or "
"after an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy import finishing, foundation, preflight, running_chalice, settings, slack_app, staging
from deploy.console import done, note, problems, step
from deploy.doctor import checks
from deploy.errors import DeployError
from deploy.names import TABLES
from deploy.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the operator says on the command line.

    Attributes:
        parameters: of the foundation's template; ones left out keep their value.
        settings: environment variables of the functions; ones left out keep their value.
        log_days: how long the functions' logs are kept.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    log_days: int = 90


def deploy(target: Target, wishes: Wishes) -> int:
    """Deploy an app, or upgrade it; return how many problems the verification found.

    Raises:
        DeployError: when a step fails; running the verb again goes on from there.
    """
    place = target.place
    step(f"{place.app} → account {place.account}, {place.region}, stage {place.chalice_stage}")
    preflight.check()
    done("Python, symlinks and the policy file are fine")
    environment = settings.merged(
        staging.shipped_stage(place.app)["environment_variables"], settings.current(target), wishes.settings
    )
    if place.app == "member":
        _check_member(environment)
    else:
        _check_central(target, wishes)
    step("foundation")
    changed = foundation.update(target, wishes.parameters)
    done(f"stack {place.stack} {'is up to date' if changed else 'was up to date'}")
    finishing.make_log_groups(target, wishes.log_days)
    step("chalice deploy")
    record = _chalice(target, environment)
    done("functions, rules and subscriptions are there")
    step("what Chalice leaves out")
    _finish(target, record)
    if place.app == "member":
        step("first snapshot")
        finishing.start_snapshot(target)
        done(f"started; it learns what is open now as approved, into {TABLES['member']}")
    if environment.get(settings.MODE_OVERRIDE):
        note(f"The emergency switch is on: every account is in mode '{environment[settings.MODE_OVERRIDE]}'.")
    step("verification")
    found = problems(checks.after_deploy(target))
    if not found:
        done("everything is in place")
    _say_what_is_next(target, record)
    return found


def _check_member(environment: Mapping[str, str]) -> None:
    missing = [name for name in ("centralAccountId", "centralRegion") if not environment.get(name)]
    if missing:
        raise DeployError("Say where the central app is: CENTRAL=<account id> CENTRAL_REGION=<region>.")


def _check_central(target: Target, wishes: Wishes) -> None:
    names = ("MemberAccountIds", "OrganizationId")
    stack = foundation.find_stack(target)
    if not any(wishes.parameters.get(name, foundation.parameter(stack, name)) for name in names):
        raise DeployError("Say who may ask for approvals: MEMBERS=<account id>,<account id> or ORGANIZATION=o-….")


def _chalice(target: Target, environment: Mapping[str, str]) -> dict[str, Any]:
    place = target.place
    stage = staging.stage_for(place, environment, member_role=place.role_arn)
    scope = staging.place_scope(
        place,
        central_region=environment.get("centralRegion", ""),
        central_account=environment.get("centralAccountId", ""),
    )
    project = staging.make_project(staging.build_folder(place), place.app, place.chalice_stage, stage, scope)
    return running_chalice.deploy(target, project)


def _finish(target: Target, record: Mapping[str, Any]) -> None:
    finishing.wire_failures(target)
    done("retries, and a queue for what is out of them")
    finishing.wire_rules(target)
    finishing.wire_subscriptions(target)
    done("a queue for events that cannot be delivered")
    if target.place.app == "central":
        finishing.limit_api(target, record["rest_api"]["rest_api_id"], api_stage())
        done(f"the API takes {finishing.REQUESTS_PER_SECOND} requests a second")


def api_stage() -> str:
    """Return the stage of the REST API, as shipped."""
    return str(staging.shipped_stage("central")["api_gateway_stage"])


def request_url(target: Target, api_id: str) -> str:
    """Return the address that Slack sends clicks to."""
    suffix = "amazonaws.com.cn" if target.place.partition == "aws-cn" else "amazonaws.com"
    return f"https://{api_id}.execute-api.{target.place.region}.{suffix}/{api_stage()}/slack/actions"


def _say_what_is_next(target: Target, record: Mapping[str, Any]) -> None:
    step("what to do next")
    if target.place.app == "member":
        note(
            "Change a rule of a test group and see it in Slack within a minute; `make doctor APP=member` looks deeper."
        )
        return
    url = request_url(target, record["rest_api"]["rest_api_id"])
    note(f"Slack's Interactivity Request URL: {url}")
    note(f"No Slack app yet? This link creates it, all filled in:\n    {slack_app.link(url)}")
    note("Then put its signing secret and the two webhooks into SSM (docs/deploy.md, step 3), and run `make doctor`.")
