"""What must be true of the repository itself: pins, symlinks, import style, no secrets in git.

Behaviour of the apps does not belong here.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

ROOT = Path(__file__).parents[1]
APPS = ("central", "member")

# What real credentials look like. Made-up ones keep clear of these forms, or stand in tests/.
SECRET_FORMS = {
    "Slack token": re.compile(r"xox[abeoprs]-[0-9A-Za-z-]{10,}"),
    "Slack webhook": re.compile(r"hooks\.slack\.com/services/T[0-9A-Z]{6,}/B[0-9A-Z]{6,}/[0-9A-Za-z]{16,}"),
    "AWS access key": re.compile(r"\b(AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\b"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


def pins(path: Path) -> dict[str, str]:
    """Return the versions a requirements file pins, by package name without extras."""
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split("==") for line in lines if line]
    return {name.split("[")[0]: version for name, version in pairs}


def stages(app: str) -> list[dict[str, Any]]:
    """Return an app's stages that are deployed; `local` is the one that takes its settings from the shell."""
    configured = json.loads((ROOT / ".chalice" / app / "config.json").read_text(encoding="utf-8"))["stages"]
    return [stage for name, stage in configured.items() if name != "local"]


def tracked_files() -> list[Path]:
    """Return the files in git, symlinks left out."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("this is not a git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def secrets_in(text: str) -> Iterator[str]:
    """Yield the kind of each secret that stands in a text."""
    return (kind for kind, form in SECRET_FORMS.items() if form.search(text))


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the top-level names of what a module imports absolutely, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("app", APPS)
def test_what_ships_is_what_was_tested(app: str) -> None:
    """An app's requirements have the versions of requirements.txt: no untested one reaches Lambda."""
    shipped = pins(ROOT / app / "requirements.txt")
    assert shipped
    assert shipped.items() <= pins(ROOT / "requirements.txt").items()


def test_no_app_ships_what_lambda_has() -> None:
    """boto3 is in Lambda and 17 MB in a zip: no app requires it."""
    assert all(not {"boto3", "botocore", "chalice"} & pins(ROOT / app / "requirements.txt").keys() for app in APPS)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        *((f"{app}/.chalice", f".chalice/{app}") for app in APPS),
        *((f"{app}/vendor/shared", "shared") for app in APPS),
    ],
)
def test_the_symlinks_chalice_packages_by_are_intact(link: str, target: str) -> None:
    """A checkout that turned symlinks into files would deploy apps without configuration or `shared`."""
    assert (ROOT / link).is_symlink()
    assert (ROOT / link).resolve() == ROOT / target


@pytest.mark.parametrize("app", APPS)
def test_every_function_has_a_policy_and_every_policy_a_function(app: str) -> None:
    """Chalice reads `iam_policy_file` only with `autogen_policy` off; a file nobody names does nothing."""
    named = {function["iam_policy_file"] for stage in stages(app) for function in stage["lambda_functions"].values()}
    assert all(stage["autogen_policy"] is False for stage in stages(app))
    assert named == {f"policies/{path.name}" for path in (ROOT / ".chalice" / app / "policies").iterdir()}


@pytest.mark.parametrize("app", APPS)
def test_the_configuration_names_the_functions_that_the_app_declares(app: str) -> None:
    """Chalice ignores a function name it does not know, and the function would run without its policy."""
    declared = importlib.import_module(f"{app}.app").app
    functions = {source.name for source in declared.event_sources} | {"api_handler" for _ in declared.routes}
    for stage in stages(app):
        assert stage["lambda_functions"].keys() == functions


@pytest.mark.parametrize("app", APPS)
def test_operators_are_told_the_size_of_every_function(app: str) -> None:
    """Memory and timeout of each stand in docs/deploy.md, as they are configured."""
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+`) \| ([\d,]+) MB \| (\d+) s \|", guide, re.MULTILINE)
    told = {
        name: (int(memory.replace(",", "")), int(seconds))
        for names, memory, seconds in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    for stage in stages(app):
        for name, function in stage["lambda_functions"].items():
            configured = [function.get(key, stage[key]) for key in ("lambda_memory_size", "lambda_timeout")]
            assert told[{"api_handler": "buttonClick"}.get(name, name)] == tuple(configured)


READ_ANYWHERE = {
    "ec2:GetManagedPrefixListEntries",  # a rule may refer to any list, one of another account too
    "cloudtrail:DescribeTrails",  # AWS cannot narrow it
    "cloudtrail:GetTrailStatus",  # of whichever trail serves the region, one of another account too
}
"""Calls that only read, and whose resource nobody knows before."""


@pytest.mark.parametrize("policy", sorted((ROOT / ".chalice").glob("*/policies/*.json")), ids=lambda path: path.stem)
def test_no_policy_allows_whole_services_or_everything(policy: Path) -> None:
    """An action is named in full; only calls that read what nobody can name before stand with `*`."""
    for statement in json.loads(policy.read_text())["Statement"]:
        actions = statement["Action"]
        assert not [action for action in actions if "*" in action]
        assert statement["Resource"] != "*" or all(
            action.startswith("ec2:Describe") or action in READ_ANYWHERE for action in actions
        )


@pytest.mark.parametrize("app", APPS)
def test_an_app_loads_as_lambda_loads_it(app: str) -> None:
    """In Lambda app.py is the top-level module `app`, beside `chalicelib` and `shared`, and no more."""
    path = [str(ROOT / app), str(ROOT / app / "vendor")]
    code = f"import sys; sys.path[:0] = {path!r}; import app; print(app.app.app_name)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code], cwd="/", capture_output=True, text=True, check=False
    )
    assert (loaded.stdout.strip(), loaded.stderr) == (app, "")


@pytest.mark.parametrize("module", sorted((ROOT / "shared/domain").rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_imports_the_standard_library_alone(module: Path) -> None:
    """The domain's rules can be read, run and tested anywhere, without installing anything."""
    assert set(imported_modules(module)) <= {*sys.stdlib_module_names, "shared"}


def test_no_secret_is_in_git() -> None:
    """Nothing that looks like a real token, webhook or key is committed outside tests."""
    found = [
        f"{path.relative_to(ROOT)}: {kind}"
        for path in tracked_files()
        if ROOT / "tests" not in path.parents
        for kind in secrets_in(path.read_bytes().decode(errors="replace"))
    ]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "xoxb-" + "1234567890-abcdefghij",
        "https://hooks.slack.com/services/" + "T061EG9R6/B0AAAAAAA/abcdefghijklmnopqrstuvwx",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE" + " KEY-----",
    ],
)
def test_the_search_for_secrets_finds_secrets(text: str) -> None:
    """Each form of secret is recognised, so that finding none means something."""
    assert list(secrets_in(f"a line\nwith {text} in it\n"))


def test_a_placeholder_is_no_secret() -> None:
    """AWS's documented example keys and elided webhooks are fine anywhere."""
    assert not list(secrets_in("AKIAIOSFODNN7EXAMPLE https://hooks.slack.com/services/T…/B…/… xoxb-…"))


def test_only_unit_tests_of_pure_code_are_traced(pytestconfig: pytest.Config) -> None:
    """In ``make test`` every other test, as this one, runs without the cost of coverage: see tests/conftest.py."""
    assert pytestconfig.getoption("trace_everything") or Coverage.current() is None
