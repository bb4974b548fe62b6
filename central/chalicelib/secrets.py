"""Secret settings: by value, or by reference to SSM Parameter Store or Secrets Manager.

A reference is resolved once per container, and again when its value does not work. Values never appear in
errors or logs.
"""

from __future__ import annotations

import time
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.clients import client
from shared.settings import SettingError, optional, setting

_SSM: Final = "ssm:"
_SECRETS_MANAGER: Final = "secretsmanager:"
_SECONDS_BETWEEN_RENEWALS: Final = 60.0

_resolved: Final[dict[tuple[str, str], str]] = {}
"""The resolved values, by name and reference; for the life of the container."""

_not_renewed_before: Final[dict[str, float]] = {}


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
    """Resolve a reference again, because its value does not work: the secret may have been rotated since.

    At most once a minute, so that forged requests cannot make a container read its secrets all the time. When the
    reference cannot be read now, the former value is kept.

    Returns:
        Whether the secret has changed.
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
    """Forget the resolved values, as in a new container."""
    _resolved.clear()
    _not_renewed_before.clear()


def _resolve(name: str, reference: str) -> str:
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
