"""Finds and reads the policy file that both apps carry.

Both apps vendor ``shared/policy.toml``; the setting ``policyFile`` names another file, for the sandbox, for tests, and
for operators who keep theirs elsewhere. A file is read once per process.

What does not belong here: what a policy file may say (``shared.wire.policy_document``).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from shared.domain.policy import Policies
from shared.settings import optional
from shared.wire.policy_document import PolicyError, parse_policies

POLICY_FILE_SETTING: Final = "policyFile"
"""The environment variable that names another policy file than the vendored one."""

VENDORED_POLICY_FILE: Final = Path(__file__).parent.parent / "policy.toml"
"""``shared/policy.toml``, which lies beside this package in the repository and in both zips."""


class PolicyFileError(RuntimeError):
    """The policy file cannot be used; the message names the file, and the key where one is wrong."""


def load_policies() -> Policies:
    """Return the policies of the file named by the setting ``policyFile``, else of ``shared/policy.toml``.

    Raises:
        PolicyFileError: when the file cannot be read or says something a policy cannot say.
    """
    named = optional(POLICY_FILE_SETTING)
    return read_policy_file(Path(named) if named else VENDORED_POLICY_FILE)


@lru_cache(maxsize=8)
def read_policy_file(path: Path) -> Policies:
    """Return the policies of a file, read once per path and process.

    Args:
        path: a TOML file in UTF-8.

    Raises:
        PolicyFileError: when the file cannot be read or says something a policy cannot say.
    """
    try:
        return parse_policies(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyFileError(f"Policy file {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise PolicyFileError(f"Policy file {path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error
    except PolicyError as error:
        raise PolicyFileError(f"Policy file {path}: {error}") from error
