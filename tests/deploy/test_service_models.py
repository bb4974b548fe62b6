"""The trimmed service models, and that they are enough: tests/member and tests/central run all flows on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.session import Session

from deploy.errors import DeployError
from deploy.names import ROOT
from deploy.service_models import operations, trimmed, write_models
from shared.aws import clients

CODE = {app: [ROOT / "shared", ROOT / app / "chalicelib"] for app in ("central", "member")}
LARGEST = 105_000
"""Bytes of all models together; botocore's own of these services are 9 MB."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of the member app."""
    folder = tmp_path_factory.mktemp("models")
    write_models(CODE["member"], folder)
    return folder


def test_the_operations_are_found_in_the_code() -> None:
    """By name where a method is called, as text where it is looked up or paged through."""
    found = operations(CODE["member"])
    assert {"cloudtrail", "dynamodb", "ec2", "events", "sns", "sqs", "sts"} == found.keys()
    assert {"dynamodb", "sns", "ssm", "secretsmanager"} <= operations(CODE["central"]).keys()
    assert found["sns"] == {"Publish"}
    assert found["sts"] == {"GetCallerIdentity"}
    changes = [f"{verb}SecurityGroup{way}" for verb in ("Authorize", "Revoke") for way in ("Ingress", "Egress")]
    assert {*changes, "DescribeSecurityGroupRules", "ModifySecurityGroupRules"} <= found["ec2"]
    assert len(found["ec2"]) == 12
    assert "Query" in operations(CODE["central"])["dynamodb"]


def test_a_service_without_operations_stops_the_build(tmp_path: Path) -> None:
    """A client that nothing is called on is one whose calls are not recognised."""
    (tmp_path / "new.py").write_text('client("sqs", region)[name]()\n', encoding="utf-8")
    with pytest.raises(DeployError, match="a client of 'sqs', but none of its operations"):
        operations([tmp_path])


def test_a_trimmed_model_is_whole_and_without_prose() -> None:
    """Every shape that is referred to is there, and nothing that only people read."""
    model = Loader().load_service_model("ec2", "service-2")
    kept = trimmed(model, ["DescribeSecurityGroupRules", "AuthorizeSecurityGroupIngress"])
    assert kept["operations"].keys() == {"DescribeSecurityGroupRules", "AuthorizeSecurityGroupIngress"}
    assert set(_shapes(kept)) <= kept["shapes"].keys() < model["shapes"].keys()
    assert kept["metadata"] == model["metadata"]
    assert "documentation" not in json.dumps(kept)
    members = kept["shapes"]["SecurityGroupRule"]["members"]
    assert members.keys() == model["shapes"]["SecurityGroupRule"]["members"].keys()


def _shapes(document: Any) -> Iterator[str]:
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if key == "shape" and isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from _shapes(value)


def test_the_models_are_small(models: Path) -> None:
    """Reading them is most of what a new container does."""
    assert sum(path.stat().st_size for path in models.rglob("*.json")) < LARGEST


def test_endpoints_are_known_in_every_partition(models: Path) -> None:
    """Of fewer services, but of all regions: China and GovCloud too."""
    whole, kept = Loader().load_data("endpoints"), json.loads((models / "endpoints.json").read_text(encoding="utf-8"))
    assert [one["regions"].keys() for one in kept["partitions"]] == [
        one["regions"].keys() for one in whole["partitions"]
    ]
    assert kept["partitions"][0]["services"]["ec2"] == whole["partitions"][0]["services"]["ec2"]


def test_a_client_of_trimmed_models_reads_them_and_has_no_more(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations of the product, at the endpoint that botocore's own rules give."""
    monkeypatch.setattr(clients, "_DATA", models)
    clients.forget()
    try:
        ec2 = clients.client("ec2", "cn-north-1")
    finally:
        clients.forget()
    assert ec2.meta.endpoint_url == "https://ec2.cn-north-1.amazonaws.com.cn"
    assert len(ec2.meta.service_model.operation_names) == 12
    assert ec2.can_paginate("describe_security_group_rules")


def test_partitions_are_known_from_the_trimmed_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ARNs need them in the zip too, where nothing is read a second time for it."""
    monkeypatch.setattr(clients, "_DATA", models)
    clients.forget()
    read: list[str] = []
    load = clients._Loader.load_data

    def noting(self: Loader, name: str) -> Any:
        read.append(name)
        return load(self, name)

    try:
        clients.client("sns", "eu-west-1")
        monkeypatch.setattr(clients._Loader, "load_data", noting)
        assert clients.partition("eusc-de-east-1") == "aws-eusc"
    finally:
        clients.forget()
    assert read == []


def test_what_is_not_trimmed_is_still_there(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own data is the fallback, and AWS_DATA_PATH counts as ever."""
    monkeypatch.setattr(clients, "_DATA", models)
    clients.forget()
    try:
        session: Session = clients._session("any")
        assert len(session.create_client("lambda", region_name="eu-west-1").meta.service_model.operation_names) > 20
    finally:
        clients.forget()
