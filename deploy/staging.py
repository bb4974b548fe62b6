"""Makes the folder that Chalice packages and deploys: a clean copy of an app with the configuration of one place.

A copy, because Chalice reads account, role and settings from the one ``config.json`` of its project, and an operator's
account has no place in git; and because whatever lies in an app's folder ends up in its zip.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.errors import DeployError
from deploy.names import ROOT, App, Place
from deploy.policies import TEMPLATE_SCOPE, Scope, function_policy
from deploy.service_models import DATA, write_models

SHIPPED_STAGE: Final = "dev"
"""The stage of ``.chalice/*/config.json`` that everything is derived from."""
OWN_ROLE: Final = "ownRoleArn"
"""The setting by which the member app knows its own calls without asking STS; what is deployed sets it."""
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.py[cod]", ".*", "deployed", "deployments")


def shipped_stage(app: App) -> dict[str, Any]:
    """Return the stage that ``.chalice/<app>/config.json`` ships."""
    config = json.loads((ROOT / ".chalice" / app / "config.json").read_text(encoding="utf-8"))
    stage: dict[str, Any] = config["stages"][SHIPPED_STAGE]
    return stage


def stage_for(
    place: Place, settings: Mapping[str, str], *, member_role: str = "", stage: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the Chalice stage of a place.

    Args:
        place: where to.
        settings: environment variables of the functions; ones left empty in ``config.json`` are taken from here, as are
            ones that it does not know.
        member_role: ARN of the role that the member app's functions share.
        stage: what to derive from, the shipped stage otherwise.
    """
    configured = dict(shipped_stage(place.app) if stage is None else stage)
    configured["environment_variables"] = dict(settings)
    configured["tags"] = {**configured.get("tags", {}), "stage": place.stage}
    if place.app == "member":
        configured["iam_role_arn"] = member_role
        configured["environment_variables"][OWN_ROLE] = member_role
    return configured


def make_project(folder: Path, app: App, chalice_stage: str, stage: Mapping[str, Any], scope: Scope) -> Path:
    """Write a Chalice project; what Chalice recorded there before is kept.

    Args:
        folder: where to; built packages and the record of deployments in it stay.
        app: which app.
        chalice_stage: name of its only stage.
        stage: that stage.
        scope: what the policies are narrowed to.

    Returns:
        The folder.
    """
    for name in ("app.py", "requirements.txt", "chalicelib", "vendor"):
        _replace(ROOT / app / name, folder / name)
    write_models([folder / "chalicelib", folder / "vendor"], folder / "vendor" / DATA)
    chalice = folder / ".chalice"
    policies = chalice / "policies"
    shutil.rmtree(policies, ignore_errors=True)
    policies.mkdir(parents=True)
    for function, configured in stage["lambda_functions"].items():
        document = function_policy(app, function, scope)
        (chalice / configured["iam_policy_file"]).write_text(json.dumps(document, indent=2), encoding="utf-8")
    config = {"version": "2.0", "app_name": app, "stages": {chalice_stage: stage}}
    (chalice / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    # Chalice reuses a package by a hash that knows neither deleted files nor the order of files.
    shutil.rmtree(chalice / "deployments", ignore_errors=True)
    return folder


def place_scope(place: Place, *, central_region: str = "", central_account: str = "") -> Scope:
    """Return what the policies of a deployed app are narrowed to."""
    return Scope(
        app=place.app,
        partition=place.partition,
        region=place.region,
        account=place.account,
        chalice_stage=place.chalice_stage,
        central_region=central_region or TEMPLATE_SCOPE["central"].central_region,
        central_account=central_account or TEMPLATE_SCOPE["central"].central_account,
    )


def build_folder(place: Place) -> Path:
    """Return where a place's project is kept between two deployments."""
    return ROOT / "build" / "deploy" / place.account / f"{place.app}-{place.chalice_stage}"


def _replace(source: Path, target: Path) -> None:
    if not source.exists():
        raise DeployError(
            f"{source.relative_to(ROOT)} is missing; is the checkout complete, and are its symlinks intact?"
        )
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=_LEFT_OUT)  # symlinks become what they point to
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
