"""The command line: ``python -m deploy VERB``; ``make`` calls it. Run it with ``--help`` for the verbs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy import deploying, packaging, preflight, redriving, reporting, round_trip, settings, slack_app, undeploying
from deploy.console import done, note, problems, step
from deploy.doctor import checks
from deploy.errors import DeployError
from deploy.finishing import LOG_DAYS
from deploy.names import APPS, ROOT
from deploy.running_chalice import find_rest_api
from deploy.target import Target, find_target
from shared.policy.loading import VENDORED_POLICY_FILE

_MODES: Final = {"observe": "observe", "enforce": "enforce", "policy": ""}
"""``policy`` turns the switch off: the policy file decides."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; return the exit code."""
    options = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], int] = options.run
    try:
        return verb(options)
    except DeployError as error:
        problems([str(error)])
    except (ClientError, BotoCoreError) as error:
        problems([f"AWS refused: {error}"])
    return 1


def _central(options: argparse.Namespace) -> int:
    parameters = _given(
        MemberAccountIds=options.members,
        OrganizationId=options.organization,
        EncryptTopics=options.encrypt_topics,
        AlarmTopicArn=options.alarm_topic,
    )
    # One replaces the other, so that a redeployment may change its mind.
    if options.members and options.organization is None:
        parameters["OrganizationId"] = ""
    if options.organization and options.members is None:
        parameters["MemberAccountIds"] = ""
    return _deploy(options, parameters, {})


def _member(options: argparse.Namespace) -> int:
    parameters = _given(
        CentralAccountId=options.central,
        CentralRegion=options.central_region,
        EncryptTopics=options.encrypt_topics,
        AlarmTopicArn=options.alarm_topic,
        ExposureLimitSeconds=options.exposure_limit,
    )
    own = _given(
        centralAccountId=options.central,
        centralRegion=options.central_region,
        accountName=options.account_name,
        modeOverride=None if options.mode is None else _MODES[options.mode],
    )
    return _deploy(options, parameters, own)


def _deploy(options: argparse.Namespace, parameters: dict[str, str], own: dict[str, str]) -> int:
    given = dict(_pair(text) for text in options.set)
    wishes = deploying.Wishes(parameters=parameters, settings=own | given, log_days=options.log_days)
    return 1 if deploying.deploy(_target(options), wishes) else 0


def _undeploy(options: argparse.Namespace) -> int:
    undeploying.undeploy(_target(options), purge=options.purge)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    target = _target(options)
    step(f"doctor: {target.place.app} in account {target.place.account}, {target.place.region}")
    found = problems(preflight.problems(root=ROOT, version=sys.version_info[:2], policy=VENDORED_POLICY_FILE))
    found += problems(checks.examine(target))
    if options.round_trip and target.place.app == "member":
        request_id = round_trip.send(target, now=datetime.now(UTC))
        note(
            "A test event is on its way: within a minute the monitoring channel shows a change by "
            f"{round_trip.NAME} in group "
            f"{round_trip.GROUP}, request {request_id}. If it does not, run `make doctor` in both accounts again."
        )
    if not found:
        done("nothing is wrong")
    return 1 if found else 0


def _redrive(options: argparse.Namespace) -> int:
    return 1 if redriving.redrive(_target(options), only_look=options.look) else 0


def _switch(options: argparse.Namespace) -> int:
    target = _target(options)
    settings.switch(target, _MODES[options.mode])
    done(f"account {target.place.account}, {target.place.region}: mode '{options.mode}' from the next event on")
    return 0


def _report(options: argparse.Namespace) -> int:
    since = datetime.now(UTC) - timedelta(days=options.days)
    for line in reporting.lines(reporting.observed(_target(options), since=since)):
        print(line)
    return 0


def _package(options: argparse.Namespace) -> int:
    preflight.check()
    options.out.mkdir(parents=True, exist_ok=True)
    for app in APPS if options.app is None else (options.app,):
        template, code = packaging.package(app, options.out, dict(os.environ))
        done(f"{template}: {template.stat().st_size:,} bytes")
        done(f"{code}: {code.stat().st_size:,} bytes; upload it to the bucket of every region")
    return 0


def _slack_manifest(options: argparse.Namespace) -> int:
    url = options.url
    if not url:
        target = _target(options)
        api_id = find_rest_api(target)
        if not api_id:
            raise DeployError("No REST API is deployed here yet: `make deploy-central` first, or say --url.")
        url = deploying.request_url(target, api_id)
    print(slack_app.manifest(url))
    print(f"# Create the app with one click:\n# {slack_app.link(url)}")
    return 0


def _target(options: argparse.Namespace) -> Target:
    return find_target(options.app, profile=options.profile, region=options.region, stage=options.stage)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise DeployError(f"--set takes NAME=VALUE, not {text!r}.")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy", description="Deploys security group approval and looks after it."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_deployments(verbs)

    verb = _verb(verbs, "undeploy", _undeploy, "take an app away")
    verb.add_argument("--purge", action="store_true", help="the table of requests and the logs too")
    verb = _verb(verbs, "doctor", _doctor, "say in plain sentences what is missing or wrong")
    verb.add_argument("--round-trip", action="store_true", help="send a test event through to Slack (member app)")
    verb = _verb(verbs, "redrive", _redrive, "hand events from the dead-letter queues to their functions again")
    verb.add_argument("--look", action="store_true", help="only say what is there")
    verb = _verb(verbs, "switch", _switch, "the emergency switch, without a redeploy", app="member")
    verb.add_argument("--mode", choices=sorted(_MODES), required=True, help="policy: what the policy file says")
    verb = _verb(verbs, "report", _report, "what observe mode saw", app="central")
    verb.add_argument("--days", type=float, default=30)
    verb = _verb(
        verbs, "slack-manifest", _slack_manifest, "the Slack app's manifest and a link that creates it", app="central"
    )
    verb.add_argument("--url", default="", help="the request URL, where it is known already")

    verb = verbs.add_parser("package", help="one CloudFormation template per app, for StackSets")
    verb.add_argument("--app", choices=APPS)
    verb.add_argument("--out", type=Path, default=ROOT / "build" / "package")
    verb.set_defaults(run=_package)
    return parser


def _add_deployments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    central = _verb(verbs, "central", _central, "deploy or upgrade the central app", app="central")
    central.add_argument("--members", metavar="ID,ID", help="member accounts")
    central.add_argument("--organization", metavar="o-…", help="instead: every account of an organization")
    member = _verb(verbs, "member", _member, "deploy or upgrade the member app", app="member")
    member.add_argument("--central", metavar="ID", help="the central account")
    member.add_argument("--central-region", metavar="REGION")
    member.add_argument("--account-name", metavar="NAME", help="what people call this account")
    member.add_argument("--mode", choices=sorted(_MODES), help="the emergency switch; begin with observe")
    member.add_argument("--exposure-limit", metavar="SECONDS", help="an alarm beyond")
    for verb in (central, member):
        verb.add_argument("--encrypt-topics", choices=("yes", "no"), help="with a customer managed key")
        verb.add_argument("--alarm-topic", metavar="ARN", help="where alarms go")
        verb.add_argument(
            "--log-days", type=int, default=90, metavar="DAYS", choices=LOG_DAYS, help="how long logs are kept (90)"
        )
        verb.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the functions")


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    *,
    app: str = "",
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text)
    if app:
        verb.set_defaults(app=app)
    else:
        verb.add_argument("app", choices=APPS)
    verb.add_argument("--profile", default="", help="of ~/.aws/config")
    verb.add_argument("--region", default="")
    verb.add_argument("--stage", default="prod", help="the region becomes part of its name by itself")
    verb.set_defaults(run=run)
    return verb


if __name__ == "__main__":
    sys.exit(main())
