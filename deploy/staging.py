"""Makes the folder that Chalice packages and deploys: a clean copy of an app with the configuration of one place.

It is a copy because Chalice reads account, role and settings from the one ``config.json`` of its project, where an
operator's account must not be committed; and because every file of an app's folder would end up in its zip.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.errors import DeployError
from deploy.names import ROOT, App, Place
from deploy.policies import Scope, deployed_scope, function_policy
from deploy.service_models import DATA, write_models

SHIPPED_STAGE: Final = "dev"
"""The stage of ``.chalice/*/config.json`` that all others are derived from."""
OWN_ROLE: Final = "ownRoleArn"
"""The setting by which the member app knows its own calls without asking STS."""
_LEFT_OUT: Final = ("__pycache__", "*.py[cod]", ".*", "deployed", "deployments", "__main__.py", "cli")
"""What is never copied: built files, and command lines, which only operators run."""


def shipped_stage(app: App) -> dict[str, Any]:
    """Return the stage that ``.chalice/<app>/config.json`` ships."""
    config = json.loads((ROOT / ".chalice" / app / "config.json").read_text(encoding="utf-8"))
    stage: dict[str, Any] = config["stages"][SHIPPED_STAGE]
    return stage


def deployment_project(place: Place, settings: Mapping[str, str]) -> Path:
    """Make the project of a place and return its folder.

    Args:
        place: where it will be deployed.
        settings: environment variables of the functions.
    """
    return make_project(
        build_folder(place), place.chalice_stage, place_stage(place, settings), deployed_scope(place, settings)
    )


def place_stage(place: Place, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration of a place's stage.

    Args:
        place: where it will be deployed.
        settings: environment variables of the functions.
    """
    stage = shipped_stage(place.app)
    stage["environment_variables"] = dict(settings)
    stage["tags"] = {**stage.get("tags", {}), "stage": place.stage}
    if place.app == "member":
        stage["iam_role_arn"] = place.role_arn
        stage["environment_variables"][OWN_ROLE] = place.role_arn
    return stage


def make_project(folder: Path, chalice_stage: str, stage: Mapping[str, Any], scope: Scope) -> Path:
    """Write a Chalice project and return its folder.

    Args:
        folder: where to; Chalice's record of deployments in it stays.
        chalice_stage: name of its only stage.
        stage: that stage.
        scope: what the policies are narrowed to.
    """
    app = scope.place.app
    for name in ("app.py", "requirements.txt", "chalicelib", "vendor"):
        _replace(ROOT / app / name, folder / name)
    write_models([folder / "chalicelib", folder / "vendor"], folder / "vendor" / DATA)
    chalice = folder / ".chalice"
    policies = chalice / "policies"
    shutil.rmtree(policies, ignore_errors=True)
    policies.mkdir(parents=True)
    for function, configured in stage["lambda_functions"].items():
        document = function_policy(function, scope)
        (chalice / configured["iam_policy_file"]).write_text(json.dumps(document, indent=2), encoding="utf-8")
    config = {"version": "2.0", "app_name": app, "stages": {chalice_stage: stage}}
    (chalice / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    # Chalice reuses a package by a hash that covers neither deleted files nor the order of files.
    shutil.rmtree(chalice / "deployments", ignore_errors=True)
    return folder


def build_folder(place: Place) -> Path:
    """Return where a place's project stays between two deployments."""
    return ROOT / "build" / "deploy" / place.account / f"{place.app}-{place.chalice_stage}"


def _replace(source: Path, target: Path) -> None:
    if not source.exists():
        raise DeployError(
            f"{source.relative_to(ROOT)} is missing; is the checkout complete, and are its symlinks intact?"
        )
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        # Symlinks become what they point to.
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
