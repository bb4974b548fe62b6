"""Settings as operators know them: environment variables from ``.chalice/*/config.json``, secrets by value or by
reference.

A setting is read when something needs it, so that a missing one stops that and nothing else; the error is one sentence
that names the variable. Values never appear in errors or logs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Final

_SSM: Final = "ssm:"
_SECRETS_MANAGER: Final = "secretsmanager:"
_SECONDS_BETWEEN_RENEWALS: Final = 60.0

_resolved: Final[dict[tuple[str, str], str]] = {}
"""What references were resolved to, by name and reference; for the life of the container."""

_not_renewed_before: Final[dict[str, float]] = {}

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}\Z")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]\Z")


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
    if not _ACCOUNT_ID.match(value):
        raise SettingError(f"Setting {name} is malformed: expected a 12-digit AWS account id.")
    return value


def region(name: str) -> str:
    """Return a setting that is an AWS region such as ``eu-west-1``.

    Raises:
        SettingError: when it is missing or has another form.
    """
    value = setting(name)
    if not _REGION.match(value):
        raise SettingError(f"Setting {name} is malformed: expected an AWS region such as eu-west-1.")
    return value


def secret(name: str) -> str:
    """Return a secret setting; a reference is resolved once per container (but see :func:`renewed`).

    Args:
        name: the variable; its value is the secret itself, ``ssm:/parameter/name`` (SecureString) or
            ``secretsmanager:<name or ARN>``.

    Raises:
        SettingError: when it is missing, or what it refers to cannot be read.
    """
    value = setting(name)
    if not value.startswith((_SSM, _SECRETS_MANAGER)):
        return value
    if (name, value) not in _resolved:
        _resolved[name, value] = _resolve(name, value)
    return _resolved[name, value]


def renewed(name: str) -> bool:
    """Resolve a reference once more, because what it said does not work: the secret may have been rotated since.

    At most once a minute, so that forged requests cannot make a container ask for its secrets all the time. Where the
    reference cannot be read now, the value from before is kept.

    Returns:
        Whether the secret is another one now.
    """
    reference, now = optional(name), time.monotonic()
    if not reference.startswith((_SSM, _SECRETS_MANAGER)) or now < _not_renewed_before.get(name, now):
        return False
    _not_renewed_before[name] = now + _SECONDS_BETWEEN_RENEWALS
    try:
        value = _resolve(name, reference)
    except SettingError:
        return False
    before = _resolved.get((name, reference))
    _resolved[name, reference] = value
    return value != before


def forget_secrets() -> None:
    """Forget what references were resolved to, as a new container would."""
    _resolved.clear()
    _not_renewed_before.clear()


def _resolve(name: str, reference: str) -> str:
    # Imported here: most invocations have their secrets cached, and the member app has none.
    from botocore.exceptions import BotoCoreError, ClientError

    from shared.aws.clients import client

    here = optional("AWS_REGION") or setting("AWS_DEFAULT_REGION")
    try:
        if reference.startswith(_SSM):
            found = client("ssm", here).get_parameter(Name=reference.removeprefix(_SSM), WithDecryption=True)
            value = found["Parameter"]["Value"]
        else:
            kept = client("secretsmanager", here).get_secret_value(SecretId=reference.removeprefix(_SECRETS_MANAGER))
            value = kept.get("SecretString", "")
    except (ClientError, BotoCoreError) as error:
        raise SettingError(f"Setting {name} refers to {reference}, which cannot be read: {error}") from error
    text = value.strip()
    if not text:
        raise SettingError(f"Setting {name} refers to {reference}, which is empty.")
    return text
