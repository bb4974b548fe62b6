"""The command line: ``python -m deploy VERB``; ``make`` calls it. Run it with ``--help`` for the verbs.

Each verb is one function ``verb(target, **options)`` that returns the exit code, or how many problems there are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy import (
    ask_scp,
    deploying,
    packaging,
    plain_chalice,
    redriving,
    reporting,
    settings,
    slack_app,
    storing_secrets,
    undeploying,
)
from deploy.console import problems
from deploy.doctor.checks import doctor
from deploy.errors import DeployError
from deploy.finishing import LOG_DAYS
from deploy.names import APPS, ROOT
from deploy.target import Target, find_target

Verb = Callable[..., int]
Parser = argparse.ArgumentParser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; return the exit code."""
    options = vars(_parser().parse_args(arguments))
    verb: Verb = options.pop("verb")
    try:
        return min(verb(_target(options), **options), 1)
    except DeployError as error:
        problems([str(error)])
    except (ClientError, BotoCoreError) as error:
        problems([f"AWS refused: {error}"])
    return 1


def _target(options: dict[str, Any]) -> Target | None:
    """Take the options that say where out of the others; ``None`` for a verb that works in no account."""
    where = {name: options.pop(name) for name in ("profile", "region", "stage") if name in options}
    if not where:
        return None
    app = options.pop("app")
    return None if options.get("url") else find_target(app, **where)


def _parser() -> Parser:
    parser = Parser(prog="python -m deploy", description="Deploys security group approval and looks after it.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, verb: Verb, text: str, app: str = "") -> Parser:
        found = verbs.add_parser(name, help=text, description=text)
        if app:
            found.set_defaults(app=app)
        else:
            found.add_argument("app", choices=APPS)
        found.add_argument("--profile", default="", help="of ~/.aws/config")
        found.add_argument("--region", default="")
        found.add_argument("--stage", default="prod", help="the region is added to its name automatically")
        found.set_defaults(verb=verb)
        return found

    _add_deployments(add)
    finish = add("finish", plain_chalice.finish, "do what a plain `chalice deploy` leaves out")
    _add_log_days(finish)
    undeploy = add("undeploy", undeploying.undeploy, "remove an app")
    undeploy.add_argument("--yes", action="store_true", help="do not ask")
    undeploy.add_argument("--purge", action="store_true", help="the table of requests and the logs too")
    examine = add("doctor", doctor, "say in full sentences what is missing or wrong")
    examine.add_argument("--round-trip", action="store_true", help="send a test event through to Slack (member app)")
    redrive = add("redrive", redriving.redrive, "send dead letters to their functions again")
    redrive.add_argument("--look", action="store_true", help="only list them")
    switch = add("switch", settings.switch, "set the emergency switch, without a redeployment", app="member")
    switch.add_argument("--mode", choices=sorted(settings.MODES), required=True, help="policy: the policy file decides")
    ask = "ask for the Slack app's secrets and store them in SSM"
    add("secrets", storing_secrets.secrets, ask, app="central")
    report = add("report", reporting.report, "what observe mode saw", app="central")
    report.add_argument("--days", type=float, default=30)
    manifest = "the Slack app's manifest and a link that creates the app"
    slack = add("slack-manifest", slack_app.slack_manifest, manifest, app="central")
    slack.add_argument("--url", default="", help="the request URL, if it is known already")

    control = "write the service control policy for zero exposure (docs/zero-exposure.md)"
    scp = verbs.add_parser("scp", help=control, description=control)
    ask_scp.add_options(scp)
    scp.set_defaults(verb=ask_scp.write_scp)
    package = verbs.add_parser("package", help="one CloudFormation template per app, for StackSets")
    package.add_argument("--app", choices=APPS)
    package.add_argument("--out", type=Path, default=ROOT / "build" / "package")
    package.set_defaults(verb=packaging.write_packages)
    return parser


def _add_deployments(add: Callable[..., Parser]) -> None:
    central = add("central", deploying.central, "deploy or upgrade the central app", app="central")
    central.add_argument("--members", metavar="ID,ID", help="member accounts")
    central.add_argument("--organization", metavar="o-…", help="instead: every account of an organization")
    member = add("member", deploying.member, "deploy or upgrade the member app", app="member")
    member.add_argument("--central", metavar="ID", help="the central account")
    member.add_argument("--central-region", metavar="REGION")
    member.add_argument("--account-name", metavar="NAME", help="what people call this account")
    member.add_argument("--mode", choices=sorted(settings.MODES), help="the emergency switch; begin with observe")
    member.add_argument("--exposure-limit", metavar="SECONDS", help="an alarm when a rule was open for longer")
    few = "all: not only those on the dead-letter queues (docs/cost.md)"
    member.add_argument("--alarms", choices=("all", "few"), help=few)
    room = "no: where CloudWatch Logs has ten resource policies already"
    member.add_argument("--evidence-policy", choices=("yes", "no"), help=room)
    for one in (central, member):
        one.add_argument("--encrypt-topics", choices=("yes", "no"), help="with a customer managed key")
        one.add_argument("--alarm-topic", metavar="ARN", help="where alarms go")
        only = "make what plain Chalice needs, and write its stage into .chalice/APP/config.json"
        one.add_argument("--foundation-only", action="store_true", help=only)
        _add_log_days(one)
        setting = "a setting of the functions"
        one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given", help=setting)


def _add_log_days(parser: Parser) -> None:
    days = "how long logs are stored (90)"
    parser.add_argument("--log-days", type=int, default=90, metavar="DAYS", choices=LOG_DAYS, help=days)


if __name__ == "__main__":
    sys.exit(main())
