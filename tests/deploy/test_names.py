"""Functions, topics, rules, tables and secrets: the apps, ``config.json``, policies and templates agree on them."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from central.chalicelib.requests.table import TABLE as REQUESTS
from central.chalicelib.secrets import SECRETS
from deploy.names import APPS, FUNCTIONS, PROJECT, ROOT, ROUTE, RULES, TABLES, TOPICS, App, Place, is_stage
from deploy.rest_api import dns_suffix, request_url
from deploy.staging import shipped_stage
from deploy.templates import foundation
from member.chalicelib.context import OWN_FUNCTIONS
from member.chalicelib.state.table import TABLE as STATE
from shared.domain.place import REGION_PATTERN

PLACE = Place(app="central", stage="a" * 9, partition="aws", account="1" * 12, region="ap-southeast-2")


@pytest.mark.parametrize("app", APPS)
def test_the_app_has_these_functions_topics_and_rules(app: App) -> None:
    """What `app.py` declares is what is deployed, checked and removed."""
    declared = importlib.import_module(f"{app}.app").app
    kinds: dict[str, set[str]] = {}
    for source in declared.event_sources:
        kinds.setdefault(type(source).__name__, set()).add(source.name)
    assert set().union(*kinds.values()) | {ROUTE for _ in declared.routes} == set(FUNCTIONS[app])
    assert kinds["SNSEventConfig"] == set(TOPICS[app])
    assert kinds.get("CloudWatchEventConfig", set()) | kinds["ScheduledEventConfig"] == set(RULES[app])


@pytest.mark.parametrize("app", APPS)
def test_config_json_has_these_functions_each_with_its_policy(app: App) -> None:
    """No function runs without a policy of its own, and no policy file is left over."""
    configured = shipped_stage(app)["lambda_functions"]
    assert configured.keys() == set(FUNCTIONS[app])
    files = {Path(one["iam_policy_file"]).name for one in configured.values()}
    assert files == {path.name for path in (ROOT / ".chalice" / app / "policies").iterdir()}
    assert len(files) == len(configured)


def test_config_json_refers_to_every_secret_and_holds_none() -> None:
    """Each has a reference below the path that the policies allow; nothing else is a reference."""
    shipped = shipped_stage("central")["environment_variables"]
    references = {name: value for name, value in shipped.items() if ":" in value}
    assert references == {name: f"ssm:/{PROJECT}/{name}" for name in SECRETS}
    assert not [value for value in shipped_stage("member")["environment_variables"].values() if ":" in value]


@pytest.mark.parametrize("app", APPS)
def test_the_template_makes_these_topics_queues_and_the_table(app: App) -> None:
    """Under the names that functions and policies use."""
    resources = foundation(app)["Resources"].values()

    def named(kind: str, key: str) -> set[Any]:
        return {str(one["Properties"][key]) for one in resources if one["Type"] == kind}

    assert named("AWS::SNS::Topic", "TopicName") == set(TOPICS[app])
    assert named("AWS::DynamoDB::Table", "TableName") == {TABLES[app]}
    queues = Place(app=app, stage="p", partition="aws", account="1" * 12, region="eu-west-1").queues
    assert named("AWS::SQS::Queue", "QueueName") == set(queues)


def test_the_apps_use_these_tables_and_functions() -> None:
    """The same names stand once in each app, which does not ship this list."""
    assert TABLES == {"central": REQUESTS, "member": STATE}
    assert set(OWN_FUNCTIONS) == set(FUNCTIONS["member"])


def test_the_template_accepts_what_the_functions_accept_as_a_region() -> None:
    """In every partition."""
    assert foundation("member")["Parameters"]["CentralRegion"]["AllowedPattern"] == f"^{REGION_PATTERN}$"


def test_the_longest_stage_keeps_to_iams_limit() -> None:
    """Role names have 64 characters; nine are left for the stage in nearly every region, eight in the others."""
    assert PLACE.fits()
    assert max(len(PLACE.function_role(name)) for name in FUNCTIONS["central"]) == 64
    assert not Place(app="central", stage="a" * 9, partition="x", account="x", region="us-isof-south-1").fits()
    assert (is_stage("a" * 9), is_stage("a" * 10)) == (True, False)


def test_the_usual_stage_fits_in_every_region() -> None:
    """Whichever partition it is in."""
    for partition in Loader().load_data("partitions")["partitions"]:
        for region in partition["regions"]:
            assert Place(app="central", stage="prod", partition="x", account="x", region=region).fits()


@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("eu-west-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-northwest-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("xx-east-1", "amazonaws.com"),
    ],
)
def test_slacks_address_is_in_the_partitions_domain(region: str, suffix: str) -> None:
    """As API Gateway names it there."""
    assert dns_suffix(region) == suffix
    assert request_url(region, "abc") == f"https://abc.execute-api.{region}.{suffix}/prod/slack/actions"


def test_no_document_names_a_partition() -> None:
    """Policies have `*`, templates `AWS::Partition`: both are deployed in every partition."""
    documents = [*(ROOT / ".chalice").rglob("*.json"), *(ROOT / "deploy").rglob("*.yaml"), ROOT / "deploy" / "scp.json"]
    assert len(documents) > 10
    assert not [path.name for path in documents if "arn:aws:" in path.read_text(encoding="utf-8")]


def test_no_code_names_a_partition() -> None:
    """ARNs are made from the partition of their region."""
    files = [path for folder in ("shared", "central", "member", "deploy") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    assert not [f"{path.name}: {text}" for path in files for text in _texts(path) if text.startswith("arn:aws:")]


def _texts(path: Path) -> list[str]:
    """Return the texts in a file's code, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [node.value for node in constants if isinstance(node.value, str)]
