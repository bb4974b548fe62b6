"""What is checked before anything is changed, and what the verbs refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from deploy.__main__ import main
from deploy.errors import DeployError
from deploy.finishing import insist
from deploy.preflight import RUNTIMES, check, problems
from deploy.running_chalice import chalice
from deploy.settings import merged
from tests.support.web_page import serving_a_web_page

POLICY = "mode = 'enforce'\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with its symlinks."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/policy.toml").write_text(POLICY, encoding="utf-8")
    for app in ("central", "member"):
        (tmp_path / ".chalice" / app).mkdir(parents=True)
        (tmp_path / app / "vendor").mkdir(parents=True)
        (tmp_path / app / "vendor/shared").symlink_to("../../shared")
        (tmp_path / app / ".chalice").symlink_to(f"../.chalice/{app}")
    return tmp_path


def found(checkout: Path, version: tuple[int, int] = RUNTIMES[0]) -> list[str]:
    """Return what preflight says."""
    return list(problems(root=checkout, version=version, policy=checkout / "shared/policy.toml"))


def test_a_good_checkout_passes(checkout: Path) -> None:
    """This one, and the repository itself."""
    assert found(checkout) == []
    check(version=RUNTIMES[0])


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_that_lambda_lacks_is_refused(checkout: Path, version: tuple[int, int]) -> None:
    """Chalice would deploy for it, and Lambda would refuse or fail."""
    (said,) = found(checkout, version)
    assert said.startswith(f"This is Python {version[0]}.{version[1]}")


def test_a_symlink_that_became_a_file_is_refused(checkout: Path) -> None:
    """What a checkout without symlinks looks like; the zip would lack `shared`."""
    link = checkout / "member/vendor/shared"
    link.unlink()
    link.write_text("../../shared", encoding="utf-8")
    (said,) = found(checkout)
    assert said.startswith("member/vendor/shared is not a symlink to shared")


def test_a_policy_with_a_contradiction_is_refused(checkout: Path) -> None:
    """What ``check`` only warns of is deployed; keys that need a bot token are fine, since there may be one."""
    text = 'approvers = ["S0614TZR7"]\nremind_after_hours = 72\n'
    (checkout / "shared/policy.toml").write_text(text, encoding="utf-8")
    assert found(checkout) == []
    (checkout / "shared/policy.toml").write_text('[[rules]]\napprovals = 0\ndeny = "No."\n', encoding="utf-8")
    (problem,) = found(checkout)
    assert "policy.toml: rules[0].approvals: 0 approvals and deny contradict each other" in problem


def test_a_broken_policy_is_refused(checkout: Path) -> None:
    """Before it reaches an account, where it would stop every revert."""
    (checkout / "shared/policy.toml").write_text("mood = 'bad'", encoding="utf-8")
    (said,) = found(checkout)
    assert "mood: is not a policy key" in said


def test_preflight_says_everything_at_once(checkout: Path) -> None:
    """One run, all problems."""
    (checkout / "shared/policy.toml").unlink()
    with pytest.raises(DeployError, match=r"This is Python 3\.9.*cannot be read"):
        check(root=checkout, version=(3, 9), policy=checkout / "shared/policy.toml")


@pytest.mark.parametrize("stage", ["production1", "Prod", "a_b", ""])
def test_a_stage_that_would_not_fit_is_refused(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """IAM's names have 64 characters, and the region and the function need most of them."""
    assert main(["central", "--stage", stage]) == 1
    assert "is not valid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--profile", "typo", "--region", "eu-west-1"], "There is no such profile in ~/.aws/config"),
        ([], "Name the region: REGION=eu-west-1"),
        (["--region", "eu-west-11"], "AWS cannot be reached in eu-west-11: does the region exist"),
    ],
)
def test_a_wrong_profile_or_region_is_reported_at_once(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything else is tried."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    assert main(["doctor", "central", *arguments]) == 1
    assert sentence in capsys.readouterr().out


@pytest.mark.parametrize("verb", [["doctor", "central"], ["report"], ["member"]])
def test_a_web_page_in_aws_s_place_is_reported(
    verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proxy that wants a login: a sentence instead of a traceback, and not the page."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with serving_a_web_page() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        assert main([*verb, "--region", "eu-west-1"]) == 1
    said = capsys.readouterr().out
    assert "AWS cannot be reached: the answer is a web page, not AWS's" in said
    assert "Please log in" not in said


def error_of(code: str, text: str) -> ClientError:
    """Return an error of Lambda."""
    return ClientError({"Error": {"Code": code, "Message": text}}, "PutFunctionEventInvokeConfig")


TOO_EARLY = [
    error_of(
        "InvalidParameterValueException", "The function's role does not have permissions to call SendMessage on x"
    ),
    error_of("ResourceConflictException", "An update is in progress"),
]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between two tries; the test does not wait."""
    made: list[float] = []
    monkeypatch.setattr("deploy.finishing.time.sleep", made.append)
    return made


def test_a_role_that_lambda_does_not_know_yet_is_waited_for(pauses: list[float]) -> None:
    """IAM needs some seconds until other services know a new policy; the deployment waits for it."""
    call = Mock(side_effect=[*TOO_EARLY, None])
    insist(call, FunctionName="f")
    assert call.call_args_list == [(((), {"FunctionName": "f"}))] * 3
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("errors", "tries"), [([TOO_EARLY[0]] * 9, 5), ([error_of("InvalidParameterValueException", "no such queue")], 1)]
)
def test_an_error_that_stays_is_raised(errors: list[ClientError], tries: int, pauses: list[float]) -> None:
    """A permission that stays away, and anything else at once."""
    call = Mock(side_effect=errors)
    with pytest.raises(ClientError):
        insist(call)
    assert (call.call_count, len(pauses)) == (tries, tries - 1)


def test_a_setting_that_nobody_reads_is_refused() -> None:
    """A mistyped name would otherwise have no effect and no message."""
    with pytest.raises(DeployError, match="slackTeamID: not a setting of this app"):
        merged({"slackTeamId": ""}, {}, {"slackTeamID": "T1"})


@pytest.mark.parametrize(
    ("shipped", "current", "given", "result"),
    [
        ("", "", {}, ""),
        ("", "old", {}, "old"),
        ("file", "old", {}, "file"),
        ("file", "old", {"name": "now"}, "now"),
        ("", "old", {"name": ""}, ""),
    ],
)
def test_what_is_given_now_comes_before_the_file_and_the_file_before_the_past(
    shipped: str, current: str, given: dict[str, str], result: str
) -> None:
    """So a redeployment loses nothing, and everything can be changed."""
    assert merged({"name": shipped}, {"name": current}, given) == {"name": result}


def test_an_error_of_chalice_is_reported_without_its_traceback(tmp_path: Path) -> None:
    """An operator needs the error, not where in Chalice it was raised."""
    (tmp_path / "app.py").write_text("raise ValueError('no such setting')", encoding="utf-8")
    (tmp_path / ".chalice").mkdir()
    config = {"version": "2.0", "app_name": "x", "stages": {"dev": {}}}
    (tmp_path / ".chalice/config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(DeployError) as told:
        chalice(tmp_path, ["package", "out"], {**os.environ, "AWS_DEFAULT_REGION": "eu-west-1"})
    assert "ValueError: no such setting" in str(told.value)
    assert "Traceback" not in str(told.value)
