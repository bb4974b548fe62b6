"""Plain Chalice: says what is missing, works after one verb, and ends like the product's own verbs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import plain_chalice
from deploy.doctor import checks
from deploy.names import APPS, FUNCTIONS, ROOT, App, Place
from tests.deploy.operations import CENTRAL, MEMBER, Operator, operating

pytestmark = pytest.mark.slow

PLACES: dict[App, Place] = {"central": CENTRAL, "member": MEMBER}


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator with two empty accounts, and a checkout of their own."""
    with operating(tmp_path_factory) as found, pytest.MonkeyPatch.context() as patch:
        checkout = tmp_path_factory.mktemp("checkout")
        left_out = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
        for name in (*APPS, "shared", ".chalice"):
            shutil.copytree(ROOT / name, checkout / name, symlinks=True, ignore=left_out)
        patch.setattr(plain_chalice, "ROOT", checkout)
        found.make_trail()
        yield found


def chalice(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Chalice itself in an app's folder, as Chalice's own documentation says."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("chalice")), *arguments, "--profile", place.app],
        cwd=plain_chalice.ROOT / place.app,
        env={**os.environ, "AWS_DEFAULT_REGION": place.region},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("place", "stage"), [(CENTRAL, "mistyped"), (MEMBER, "dev")])
def test_a_stage_without_a_foundation_says_what_is_missing(operator: Operator, place: Place, stage: str) -> None:
    """In one sentence with the verb, before anything is made; so no second set of functions is fed by the topics."""
    ran = chalice(place, "deploy", "--stage", stage)
    assert ran.returncode != 0
    said = " ".join((ran.stdout + ran.stderr).split())
    assert f"run first: python -m deploy {place.app} --foundation-only (docs/deploy.md, Plain Chalice)" in said
    assert operator.client(place, "lambda").list_functions()["Functions"] == []
    assert operator.client(place, "iam").list_roles()["Roles"] == []


@pytest.mark.parametrize("place", PLACES.values(), ids=APPS)
def test_plain_chalice_works_after_the_foundation(
    operator: Operator, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verb says what to run next; afterwards doctor finds what the product's own deployment leaves."""
    assert operator.deploy(place, "--foundation-only") == 0
    said = capsys.readouterr().out
    assert f"chalice deploy --stage {place.chalice_stage} --profile {place.app}" in said
    assert f"python -m deploy finish {place.app} --profile {place.app} --region {place.region} --stage prod" in said
    config: dict[str, Any] = json.loads((plain_chalice.ROOT / place.app / ".chalice" / "config.json").read_text())
    written = config["stages"][place.chalice_stage]
    assert (config["manage_iam_role"], written["manage_iam_role"]) == (False, place.app == "central")
    assert written.get("iam_role_arn") == (place.role_arn if place.app == "member" else None)
    assert operator.at(place, "finish") == 1
    assert "does not exist: run `chalice deploy --stage" in capsys.readouterr().out
    ran = chalice(place, "deploy", "--stage", place.chalice_stage)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert operator.at(place, "finish") == 0
    assert list(checks.after_deploy(operator.target(place))) == []
    functions = operator.client(place, "lambda").list_functions()["Functions"]
    assert {one["FunctionName"] for one in functions} == {place.function(name) for name in FUNCTIONS[place.app]}


@pytest.mark.parametrize("place", PLACES.values(), ids=APPS)
def test_the_verbs_go_on_from_a_plain_deployment(operator: Operator, place: Place) -> None:
    """The same functions and the same API: Slack's address stays."""
    before = _apis(operator)
    assert operator.deploy(place) == 0
    assert _apis(operator) == before
    assert list(checks.after_deploy(operator.target(place))) == []


def _apis(operator: Operator) -> list[str]:
    return [one["id"] for one in operator.client(CENTRAL, "apigateway").get_rest_apis()["items"]]
