"""Plain Chalice: what its own ``chalice deploy`` needs beforehand, and what it leaves out.

``python -m deploy APP --foundation-only`` makes the foundation and writes the place's stage into the app's own
``config.json``; then ``cd APP && chalice deploy --stage STAGE`` (or ``chalice package``) works as Chalice documents it;
then ``python -m deploy finish APP`` does what Chalice leaves out. The verbs ``central`` and ``member`` do all three.

Its biggest downside: the stage, with the place's settings, stands in a file of the checkout, and ``finish`` has to be
run after each ``chalice deploy``, which removes the dead-letter queues of the rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deploy import finishing, running_chalice, settings
from deploy.console import done, note, problems, step
from deploy.doctor import checks
from deploy.errors import DeployError
from deploy.names import FUNCTIONS, ROOT, App
from deploy.rest_api import api_stage, find_rest_api, request_url
from deploy.staging import place_stage
from deploy.target import Target


def prepare(target: Target, environment: Mapping[str, str]) -> int:
    """Write the stage into the app's ``config.json`` and fetch Chalice's record of earlier deployments.

    Args:
        target: where; its foundation exists.
        environment: settings of the functions.
    """
    place = target.place
    stage = place_stage(place, environment)
    stage.setdefault("manage_iam_role", True)  # above all stages it is off, so that no other stage can be deployed
    path = _project(place.app) / ".chalice" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["stages"][place.chalice_stage] = stage
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    running_chalice.fetch_record(target, _project(place.app))
    done(f"stage {place.chalice_stage} is written to .chalice/{place.app}/config.json")
    step("what to do next")
    profile = f" --profile {target.profile}" if target.profile else ""
    where = f"{profile} --region {place.region} --stage {place.stage}"
    note(
        f"cd {place.app} && AWS_DEFAULT_REGION={place.region} chalice deploy --stage {place.chalice_stage}{profile} && "
        f"cd .. && python -m deploy finish {place.app}{where}"
    )
    return 0


def finish(target: Target, *, log_days: int) -> int:
    """The verb ``finish``: do what a plain ``chalice deploy`` leaves out; return how many problems are left.

    Args:
        target: where ``chalice deploy`` was run.
        log_days: how long the functions' logs are stored.

    Raises:
        DeployError: when a function is missing.
    """
    place = target.place
    step(f"what plain Chalice leaves out: {place.app} in account {place.account}, {place.region}")
    missing = [name for name in FUNCTIONS[place.app] if settings.configuration(target, name) is None]
    if missing:
        raise DeployError(
            f"{place.function(missing[0])} does not exist: run `chalice deploy --stage {place.chalice_stage}` in "
            f"{place.app}/ first."
        )
    running_chalice.store_record(target, _project(place.app))
    finishing.make_log_groups(target, log_days)
    finishing.wire_failures(target)
    finishing.wire_rules(target)
    finishing.wire_subscriptions(target)
    done("retries, dead-letter queues and log groups")
    if place.app == "central":
        api = find_rest_api(target)
        finishing.limit_api(target, api, api_stage())
        note(f"Slack's Interactivity Request URL: {request_url(place.region, api)}")
    else:
        finishing.start_snapshot(target)
        done("the first snapshot is started")
    found = problems(checks.after_deploy(target))
    if not found:
        done("everything is in place")
    return found


def _project(app: App) -> Path:
    return ROOT / app
