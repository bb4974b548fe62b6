"""Starting and stopping: settings that reach the apps, roles, ports that are taken, apps that do not start."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.settings import LABS, SHOP, SandboxSettings, role_of
from sandbox.system import Sandbox
from shared.wire.policy_document import parse_policies
from tests.sandbox.tiny_apps import CENTRAL, write_app


def test_a_port_that_is_taken_is_one_sentence(tiny_settings: SandboxSettings) -> None:
    """The sentence names the port and the option that chooses another one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"Port {port} for the AWS endpoint is taken.*--aws-port"):
            Sandbox(replace(tiny_settings, aws_port=port)).__enter__()


def test_an_app_that_cannot_be_imported_is_named_with_its_error(tiny_settings: SandboxSettings, tmp_path: Path) -> None:
    """The sandbox does not start, and says which app and why."""
    broken = write_app(tmp_path / "broken", "import a_module_that_is_not_there\n")
    with pytest.raises(SandboxError, match=r"broken could not start: ModuleNotFoundError.*a_module_that_is_not_there"):
        Sandbox(replace(tiny_settings, central_app=broken)).__enter__()


def test_a_folder_without_an_app_is_named(tiny_settings: SandboxSettings, tmp_path: Path) -> None:
    """A missing app.py is no traceback."""
    with pytest.raises(SandboxError, match=r"There is no app in .*: app.py is missing"):
        Sandbox(replace(tiny_settings, member_app=tmp_path)).__enter__()


def test_a_second_post_route_leaves_slack_without_an_address(tiny_settings: SandboxSettings, tmp_path: Path) -> None:
    """Slack has one request URL, so two candidates are an error when somebody clicks."""
    twice = (
        CENTRAL
        + """
    @app.route("/other", methods=["POST"])
    def other():
        return {}
"""
    )
    settings = replace(tiny_settings, central_app=write_app(tmp_path / "central", twice))
    with Sandbox(settings) as sandbox, pytest.raises(SandboxError, match="2 POST routes"):
        sandbox._request_url()


@pytest.mark.parametrize(
    ("config", "role"),
    [
        ({}, "member-dev"),
        ({"autogen_policy": False}, "member-dev-revertSecurityGroup"),
        ({"manage_iam_role": False, "iam_role_arn": "arn:aws:iam::222222222222:role/x/shared"}, "shared"),
        ({"manage_iam_role": False, "iam_role_arn": "set by the deploy"}, "member-role"),
        ({"lambda_functions": {"revertSecurityGroup": {"autogen_policy": False}}}, "member-dev-revertSecurityGroup"),
        ({"lambda_functions": {"other": {"autogen_policy": False}}}, "member-dev"),
    ],
)
def test_roles_are_those_that_chalice_gives(tmp_path: Path, config: dict[str, object], role: str) -> None:
    """One for the whole app, one per function, or the one that the configuration names."""
    (tmp_path / ".chalice").mkdir()
    document = {"version": "2.0", "app_name": "member", "stages": {"dev": config}}
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(document))
    assert role_of(tmp_path, "member", "revertSecurityGroup") == role


def test_the_policy_file_is_one_that_the_product_takes() -> None:
    """Approvers, the exempt role and the observed account come out as the product reads them."""
    policies = parse_policies(SandboxSettings(policy={"require_description": True}).policy_text())
    enforced, observed = policies.for_account(SHOP.id), policies.for_account(LABS.id)
    assert (enforced.mode, observed.mode) == ("enforce", "observe")
    assert enforced.approvers == ("U0APPROVER", "U0APPROVE2")
    assert enforced.exempt_principals == ("arn:aws:iam::*:role/ci-deploy",)
    assert enforced.require_description
