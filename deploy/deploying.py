"""The verbs ``central`` and ``member``: deploy an app, from the preflight to what to do next.

Run one again to upgrade, or after an interruption: every step starts from what it finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy import (
    accounts,
    evidence,
    finishing,
    foundation,
    opt_in,
    plain_chalice,
    preflight,
    repairing,
    running_chalice,
    settings,
    slack_app,
    staging,
)
from deploy.console import done, note, problems, step
from deploy.doctor import checks
from deploy.errors import DeployError
from deploy.names import TABLES
from deploy.rest_api import api_stage, request_url
from deploy.target import Target


def central(
    target: Target,
    *,
    members: str | None,
    organization: str | None,
    log_days: int,
    given: Sequence[str],
    foundation_only: bool,
    **more: Any,
) -> int:
    """Deploy or upgrade the central app; return how many problems the verification found.

    Args:
        target: where.
        members: account ids, separated by commas; ``None`` keeps what was given before.
        organization: instead of them, the id of an organization.
        log_days: how long the functions' logs are stored.
        given: settings of the functions, as ``NAME=VALUE``.
        foundation_only: only prepare what plain Chalice needs, see :mod:`deploy.plain_chalice`.
        **more: other parameters of the template, see :func:`_topic_parameters`.

    Raises:
        DeployError: when a step fails; running the verb again continues from there.
    """
    parameters = _topic_parameters(**more) | _given(MemberAccountIds=members, OrganizationId=organization)
    # One replaces the other, so that an operator can change from one to the other.
    if members and organization is None:
        parameters["OrganizationId"] = ""
    if organization and members is None:
        parameters["MemberAccountIds"] = ""
    stack = foundation.find_stack(target)
    names = ("MemberAccountIds", "OrganizationId")
    if not any(parameters.get(name, foundation.parameter(stack, name)) for name in names):
        raise DeployError("Name who may ask for approvals: MEMBERS=<account id>,<account id> or ORGANIZATION=o-….")
    environment = _settings(target, given)
    accounts.check_central(target)
    _lay_foundation(target, parameters, log_days)
    if foundation_only:
        return plain_chalice.prepare(target, environment)
    record = _deploy(target, environment)
    finishing.limit_api(target, record["rest_api"]["rest_api_id"], api_stage())
    done(f"the API accepts {finishing.REQUESTS_PER_SECOND} requests a second")
    found = _verify(target)
    url = request_url(target.place.region, record["rest_api"]["rest_api_id"])
    step("what to do next")
    note(f"Slack's Interactivity Request URL: {url}")
    note(f"No Slack app yet? This link creates it, all filled in:\n    {slack_app.link(url)}")
    note("Then store its secrets (`python -m deploy secrets`; docs/deploy.md, step 3), and run `make doctor`.")
    return found


def member(
    target: Target,
    *,
    central: str | None,
    central_region: str | None,
    account_name: str | None,
    mode: str | None,
    exposure_limit: str | None,
    evidence_policy: str | None,
    alarms: str | None,
    log_days: int,
    given: Sequence[str],
    foundation_only: bool,
    **more: Any,
) -> int:
    """Deploy or upgrade the member app; return how many problems the verification found.

    Args:
        target: where.
        central: the central account; ``None`` keeps what was given before, as for all others.
        central_region: the region of the central app.
        account_name: what people call the account.
        mode: position of the emergency switch, one of :data:`deploy.settings.MODES`.
        exposure_limit: seconds; an unapproved rule that was open for longer raises an alarm.
        alarms: ``all`` makes more than those on the dead-letter queues.
        evidence_policy: ``no`` makes no policy of CloudWatch Logs, see :mod:`deploy.evidence`.
        log_days: how long the functions' logs are stored.
        given: settings of the functions, as ``NAME=VALUE``.
        foundation_only: only prepare what plain Chalice needs, see :mod:`deploy.plain_chalice`.
        **more: other parameters of the template, see :func:`_topic_parameters`.

    Raises:
        DeployError: when a step fails; running the verb again continues from there.
    """
    parameters = _topic_parameters(**more) | _given(
        CentralAccountId=central,
        CentralRegion=central_region,
        ExposureLimitSeconds=exposure_limit,
        EvidencePolicy=evidence_policy,
        Alarms=alarms,
    )
    own = _given(
        centralAccountId=central,
        centralRegion=central_region,
        accountName=account_name,
        modeOverride=None if mode is None else settings.MODES[mode],
    )
    environment = _settings(target, given, own)
    if not (environment["centralAccountId"] and environment["centralRegion"]):
        raise DeployError("Name the central app's place: CENTRAL=<account id> CENTRAL_REGION=<region>.")
    accounts.check_member(target, environment["centralAccountId"], environment["centralRegion"])
    opt_in.note_region(target, environment["centralAccountId"])
    evidence.check_room(target, parameters)
    _lay_foundation(target, parameters, log_days)
    if foundation_only:
        return plain_chalice.prepare(target, environment)
    _deploy(target, environment)
    step("first snapshot")
    finishing.start_snapshot(target)
    done(f"started; it adopts what is open now as approved, into {TABLES['member']}")
    if environment[settings.MODE_OVERRIDE]:
        note(f"The emergency switch is on: this account is in mode '{environment[settings.MODE_OVERRIDE]}'.")
    found = _verify(target)
    step("what to do next")
    note("Change a rule of a test group; Slack shows it within a minute. `make doctor APP=member` checks more.")
    return found


def _settings(target: Target, given: Sequence[str], own: Mapping[str, str] | None = None) -> dict[str, str]:
    shipped = staging.shipped_stage(target.place.app)["environment_variables"]
    return settings.merged(shipped, settings.current(target), {**(own or {}), **dict(map(_pair, given))})


def _lay_foundation(target: Target, parameters: Mapping[str, str], log_days: int) -> None:
    """Make or update what an app depends on."""
    place = target.place
    step(f"{place.app} → account {place.account}, {place.region}, stage {place.chalice_stage}")
    preflight.check()
    done("Python, symlinks and the policy file are fine")
    step("foundation")
    changed = foundation.update(target, parameters)
    done(f"stack {place.stack} {'is up to date' if changed else 'was up to date'}")
    for one in repairing.repair(target):
        done(f"repaired: {one}")
    finishing.make_log_groups(target, log_days)


def _deploy(target: Target, environment: Mapping[str, str]) -> dict[str, Any]:
    """Deploy an app's functions; return Chalice's record."""
    step("chalice deploy")
    record = running_chalice.deploy(target, staging.deployment_project(target.place, environment))
    done("functions, rules and subscriptions exist")
    step("what Chalice leaves out")
    finishing.wire_failures(target)
    done("retries, and a dead-letter queue for what failed three times")
    finishing.wire_rules(target)
    finishing.wire_subscriptions(target)
    done("a dead-letter queue for events that cannot be delivered")
    return record


def _verify(target: Target) -> int:
    step("verification")
    found = problems(checks.after_deploy(target))
    if not found:
        done("everything is in place")
    return found


def _topic_parameters(*, encrypt_topics: str | None, alarm_topic: str | None) -> dict[str, str]:
    return _given(EncryptTopics=encrypt_topics, AlarmTopicArn=alarm_topic)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise DeployError(f"--set needs NAME=VALUE, not {text!r}.")
    return name, value
