"""What ships: the zips, and the templates for a fleet."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest

from deploy.names import APPS, FUNCTIONS, ROOT, RULES, TOPICS, App
from deploy.packaging import package
from tests.deploy.builds import offline_pip

pytestmark = pytest.mark.slow
LARGEST_ZIP = 3_000_000
"""Bytes. boto3 alone would be 17 MB; Lambda has it."""
SECRET = re.compile(
    rb"xox[abeoprs]-[0-9A-Za-z-]{10,}|hooks\.slack\.com/services/T[0-9A-Z]{6,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


@dataclass(frozen=True)
class Built:
    """One app, packaged."""

    app: App
    template: dict[str, Any]
    path: Path
    code: Path

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the resources of a type by logical id."""
        return {name: one["Properties"] for name, one in self.template["Resources"].items() if one["Type"] == kind}


def build(app: App, factory: pytest.TempPathFactory) -> Built:
    """Package an app, in a folder of its own."""
    path, code = package(app, factory.mktemp("package"), {**os.environ, **offline_pip(factory)})
    return Built(app=app, template=json.loads(path.read_text(encoding="utf-8")), path=path, code=code)


@pytest.fixture(scope="module", params=APPS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Package each app once."""
    return build(request.param, tmp_path_factory)


@pytest.fixture
def plain(built: Built, tmp_path: Path) -> Path:
    """A checkout of one app, with its symlinks."""
    left_out = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
    for name in (built.app, "shared", f".chalice/{built.app}"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=left_out)
    return tmp_path / built.app


def plain_chalice(*arguments: str) -> list[str]:
    """Return the command line of Chalice itself."""
    return [str(Path(sys.executable).with_name("chalice")), *arguments]


def test_plain_chalice_packages_the_app(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without this project's own verbs; the zip has the same code."""
    environment = {**os.environ, **offline_pip(tmp_path_factory), "AWS_DEFAULT_REGION": "eu-west-1"}
    subprocess.run(plain_chalice("package", "out"), cwd=plain, env=environment, check=True, capture_output=True)
    with zipfile.ZipFile(plain / "out" / "deployment.zip") as archive:
        names = set(archive.namelist())
    assert {"app.py", "shared/policy.toml"} | _modules(plain, "chalicelib") | _modules(ROOT, "shared") <= names


def test_plain_chalice_serves_the_app(plain: Path) -> None:
    """`chalice local` starts, in the stage that has no settings of its own where there is one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = plain_chalice("local", "--stage", "local", "--port", port, "--no-autoreload")
    environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-west-1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=plain, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"Serving on http://127.0.0.1:{port}"
        process.kill()


def test_two_clean_builds_give_the_same_bytes(built: Built, tmp_path_factory: pytest.TempPathFactory) -> None:
    """So that a fleet runs what was reviewed, and an upgrade without a change is none."""
    again = build(built.app, tmp_path_factory)
    assert again.code.read_bytes() == built.code.read_bytes()
    assert again.path.read_bytes() == built.path.read_bytes()


def test_packaging_again_leaves_one_zip(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The guide uploads by a pattern; an older version's zip goes, anything else in the folder stays."""
    folder = tmp_path_factory.mktemp("again")
    older, other = folder / f"member-{'0' * 64}.zip", folder / "member-notes.zip"
    for one in (older, other):
        one.touch()
    _, code = package("member", folder, {**os.environ, **offline_pip(tmp_path_factory)})
    assert set(folder.glob("member-*.zip")) == {code, other}


def test_a_zip_holds_the_app_and_what_it_needs_and_nothing_else(built: Built) -> None:
    """No tests, configuration or tools, no unused half of powertools, and every file has the same date."""
    with zipfile.ZipFile(built.code) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]
    assert {"app.py", "chalicelib/__init__.py", "shared/policy.toml", "chalice/app.py"} <= set(names)
    assert not [
        name
        for name in names
        if re.search(r"\.pyd$|(^|/)tests?/|^(sandbox|deploy|bench)/|\.chalice|powertools/event_handler/", name)
    ]
    assert not [name for name in names if name.split("/")[0] in ("boto3", "botocore", "moto", "pytest", "slack_sdk")]
    assert len({info.date_time for info in infos}) == 1


def test_a_zip_has_the_code_of_its_own_app_and_shared_and_no_other(built: Built) -> None:
    """Not the other app's code, and not the policy's command line, which only operators run."""
    with zipfile.ZipFile(built.code) as archive:
        ours = {name for name in archive.namelist() if re.match(r"(app\.py|(chalicelib|shared)/.*\.py)$", name)}
        sources = {name: archive.read(name).decode() for name in ours}
    tools = {"shared/policy/__main__.py"} | _modules(ROOT, "shared/policy/cli")
    expected = {"app.py"} | _modules(ROOT / built.app, "chalicelib") | _modules(ROOT, "shared")
    assert {"shared/policy/cli/main.py"} < tools < expected
    assert ours == expected - tools
    assert not [
        name for name, text in sources.items() if re.search(r"^\s*(from|import) (central|member)\b", text, re.M)
    ]


def _modules(root: Path, package: str) -> set[str]:
    return {str(path.relative_to(root)) for path in (root / package).rglob("*.py")}


def test_every_module_of_a_zip_is_compiled_and_the_models_are_trimmed(built: Built) -> None:
    """A new container neither compiles what it imports nor reads what AWS offers besides."""
    with zipfile.ZipFile(built.code) as archive:
        names = set(archive.namelist())
        modules = {name for name in names if name.endswith(".py")}
        assert {cache_from_source(name) for name in modules} == {name for name in names if name.endswith(".pyc")}
        assert all(archive.read(cache_from_source(name))[4] == 1 for name in modules)  # PEP 552: hash, unchecked
    models = {name.split("/")[3] for name in names if name.startswith("shared/aws/data/")}
    assert {"dynamodb", "sns", "endpoints.json"} <= models
    assert ("ec2" in models) == (built.app == "member")


def test_no_secret_is_in_a_zip(built: Built) -> None:
    """Nothing that looks like a token, a webhook or a key."""
    with zipfile.ZipFile(built.code) as archive:
        assert not [name for name in archive.namelist() if SECRET.search(archive.read(name))]


def test_a_zip_is_small_and_the_guide_says_how_small(built: Built) -> None:
    """A stated size is checked, so that it stays true to about a tenth."""
    size = built.code.stat().st_size
    assert size < LARGEST_ZIP
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    stated = re.search(rf"`{built.app}` \| ([0-9.]+) MB", guide)
    assert stated is not None
    assert abs(float(stated[1]) - size / 1e6) <= 0.1 * size / 1e6


def test_a_packaged_template_passes_cfn_lint(built: Built) -> None:
    """No finding, and no rule is switched off."""
    found = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(built.path)], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.returncode) == ("", 0)


def test_stacksets_take_a_packaged_template(built: Built) -> None:
    """With service-managed permissions they run no macros; and it fits without a bucket."""
    assert "Transform" not in built.template
    assert built.path.stat().st_size <= 51_200
    assert not [one for one in built.template["Resources"].values() if one["Type"].startswith("AWS::Serverless")]


def test_a_packaged_function_has_its_name_code_log_and_queue(built: Built) -> None:
    """What `python -m deploy` adds after Chalice stands in the template."""
    functions = built.of_type("AWS::Lambda::Function")
    names = {one["FunctionName"]["Fn::Sub"] for one in functions.values()}
    base = f"{built.app}-${{Stage}}-${{AWS::Region}}"
    assert names == {base if name == "api_handler" else f"{base}-{name}" for name in FUNCTIONS[built.app]}
    assert {one["Code"]["S3Key"] for one in functions.values()} == {built.code.name}
    groups = {
        one["LogGroupName"]["Fn::Sub"]
        for one in built.of_type("AWS::Logs::LogGroup").values()
        if isinstance(one["LogGroupName"], dict)
    }
    assert groups == {f"/aws/lambda/{name}" for name in names}
    configs = built.of_type("AWS::Lambda::EventInvokeConfig").values()
    assert len(configs) == len([name for name in FUNCTIONS[built.app] if name != "api_handler"])
    assert all(
        one["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["Failures", "Arn"]} for one in configs
    )


def test_a_packaged_function_is_invoked_by_its_own_source_alone(built: Built) -> None:
    """A permission without a source would let anybody's rule or topic call the function."""
    permissions = built.of_type("AWS::Lambda::Permission").values()
    sources = {one["Principal"] for one in permissions if one.get("SourceArn")}
    assert sources == {"sns.amazonaws.com", "events.amazonaws.com"} | (
        {"apigateway.amazonaws.com"} if built.app == "central" else set()
    )
    assert all(one.get("SourceArn") for one in permissions)


def test_a_packaged_template_keeps_what_cannot_be_delivered(built: Built) -> None:
    """Every subscription and every rule has its dead-letter queue."""
    queue = {"Fn::GetAtt": ["Undelivered", "Arn"]}
    subscriptions = built.of_type("AWS::SNS::Subscription").values()
    assert len(subscriptions) == len(TOPICS[built.app])
    assert all(one["RedrivePolicy"] == {"deadLetterTargetArn": queue} for one in subscriptions)
    fed = [one for one in built.of_type("AWS::Events::Rule").values() if "DeadLetterConfig" in one["Targets"][0]]
    assert {one["Name"]["Fn::Sub"].split("-")[-2] for one in fed} == set(RULES[built.app])
    assert all(one["Targets"][0]["DeadLetterConfig"] == {"Arn": queue} for one in fed)


def test_a_packaged_template_names_no_account_and_no_region(built: Built) -> None:
    """The same template goes everywhere; parameters say what differs."""
    text = json.dumps([built.template["Resources"], built.template["Conditions"]])
    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"\b(us|eu|ap|ca|sa|me|af|il|mx)-[a-z]+-\d\b", text)
    wanted = {
        "central": {"OrganizationId", "MemberAccountIds"},
        "member": {"CentralAccountId", "CentralRegion", "ModeOverride"},
    }
    assert wanted[built.app] | {"Stage", "CodeBucketPrefix"} <= built.template["Parameters"].keys()
