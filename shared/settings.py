"""Settings as operators know them: environment variables from ``.chalice/*/config.json``.

A setting is read when something needs it, so that a missing one stops that and nothing else; the error is one sentence
that names the variable. Values never appear in errors or logs.

What does not belong here: settings that refer to a secret kept by AWS (``central.chalicelib.secrets``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from shared.domain.location import is_account_id, is_region


class SettingError(RuntimeError):
    """A setting is missing or malformed; the message names the variable and what to do."""


def optional(name: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the value of an environment variable, ``""`` when it is not set."""
    source = os.environ if environ is None else environ  # noqa: TID251 - this is the one place
    return source.get(name, "").strip()


def setting(name: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the value of an environment variable that has to be set.

    Raises:
        SettingError: when it is missing or empty.
    """
    value = optional(name, environ)
    if not value:
        raise SettingError(f"Setting {name} is missing: set the environment variable {name} in .chalice/*/config.json.")
    return value


def account_id(name: str) -> str:
    """Return a setting that is a 12-digit AWS account id.

    Raises:
        SettingError: when it is missing or has another form.
    """
    value = setting(name)
    if not is_account_id(value):
        raise SettingError(f"Setting {name} is malformed: expected a 12-digit AWS account id.")
    return value


def region(name: str) -> str:
    """Return a setting that is an AWS region such as ``eu-west-1``.

    Raises:
        SettingError: when it is missing or has another form.
    """
    value = setting(name)
    if not is_region(value):
        raise SettingError(f"Setting {name} is malformed: expected an AWS region such as eu-west-1.")
    return value
