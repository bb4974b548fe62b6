"""Finds and reads the policy file that both apps carry.

Both apps vendor ``shared/policy.toml``; the setting ``policyFile`` names another file, for the sandbox, for tests, and
for operators who keep theirs elsewhere. A file is read again only when it has changed.

The apps never fail because of the file: while it cannot be used, the strictest policy holds (``Policies.problem`` says
why), and operators are alerted. Command lines use :func:`read_policy_file`, which raises.

The setting ``modeOverride`` replaces the key ``mode`` for every account: the emergency switch, which operators turn
without a redeploy. Lambda starts new containers when a setting changes, so it holds from the next event on and costs
the revert nothing.

What does not belong here: what a policy file may say (``shared.wire.policy_document``), and what holds when it cannot
be used (``shared.domain.policy.strictest``).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final, get_args

from shared.domain.policy import Mode, Policies, strictest
from shared.settings import SettingError, optional
from shared.telemetry import count, logger
from shared.wire.policy_document import PolicyError, parse_policies

POLICY_FILE_SETTING: Final = "policyFile"
"""The environment variable that names another policy file than the vendored one."""

MODE_OVERRIDE_SETTING: Final = "modeOverride"
"""The environment variable that replaces the policy's ``mode``; empty or missing: what the file says."""

VENDORED_POLICY_FILE: Final = Path(__file__).parent.parent / "policy.toml"
"""``shared/policy.toml``, which lies beside this package in the repository and in both zips."""


class PolicyFileError(RuntimeError):
    """The policy file cannot be used; the message names the file, and the key where one is wrong."""


def load_policies() -> Policies:
    """Return the policies that hold: those of the file, with the mode of the setting ``modeOverride``.

    An invalid ``modeOverride`` is logged and ignored, so that a typing error cannot stop the reverts.

    Returns:
        The strictest policy when the file cannot be used; its ``problem`` says why. ``modeOverride`` holds then, too.
    """
    policies = written_policies()
    override = optional(MODE_OVERRIDE_SETTING)
    if not override:
        return policies
    try:
        return with_mode(policies, override)
    except SettingError as error:
        logger.error("setting ignored", extra={"problem": str(error)})
        return policies


def written_policies() -> Policies:
    """Return the policies as the file has them, whatever ``modeOverride`` says.

    For the central app: who decides and until when does not depend on the mode, so an error in the emergency switch
    must not stop a decision.

    Returns:
        The strictest policy when the file cannot be used; its ``problem`` says why.
    """
    try:
        return read_policy_file(policy_file())
    except PolicyFileError as error:
        logger.error("policy unreadable", extra={"problem": str(error)})
        count("PolicyUnreadable")
        return strictest(str(error))


def policy_file() -> Path:
    """Return the path that the setting ``policyFile`` names, else that of ``shared/policy.toml``."""
    return Path(optional(POLICY_FILE_SETTING) or VENDORED_POLICY_FILE)


@lru_cache(maxsize=8)
def with_mode(policies: Policies, mode: str) -> Policies:
    """Return the policies with one mode for all accounts.

    Args:
        policies: what the file says.
        mode: ``enforce`` or ``observe``.

    Raises:
        SettingError: for every other mode.
    """
    for known in get_args(Mode):
        if mode == known:
            return Policies(
                general=replace(policies.general, mode=known),
                accounts=tuple((account, replace(policy, mode=known)) for account, policy in policies.accounts),
            )
    raise SettingError(
        f"Setting {MODE_OVERRIDE_SETTING} is malformed: expected {' or '.join(get_args(Mode))}, or nothing to follow "
        "the policy file."
    )


def read_policy_file(path: Path) -> Policies:
    """Return the policies of a file, which is read again only when it has changed.

    Args:
        path: a TOML file in UTF-8.

    Raises:
        PolicyFileError: when the file cannot be read or says something a policy cannot say.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return _parsed(path, state.st_mtime_ns, state.st_size)


def read_policy_text(path: Path) -> str:
    """Return the text of a policy file.

    Raises:
        PolicyFileError: when the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise PolicyFileError(f"Policy file {path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


@lru_cache(maxsize=8)
def _parsed(path: Path, _changed_ns: int, _size: int) -> Policies:
    try:
        return parse_policies(read_policy_text(path))
    except PolicyError as error:
        raise PolicyFileError(f"Policy file {path}: {error}.") from error


def _unreadable(path: Path, error: OSError) -> PolicyFileError:
    return PolicyFileError(f"Policy file {path} cannot be read: {error.strerror or error}.")
