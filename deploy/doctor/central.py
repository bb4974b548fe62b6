"""Checks of the central account: the API, the secrets, the webhooks, and a signed request to the route.

No secret is printed, and nothing is posted to Slack: a webhook answers an empty message with an error, and the error
shows whether it still exists.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

import requests

from central.chalicelib.secrets import HOOKS, SECRETS, SIGNING_SECRET
from central.chalicelib.slack.signature import sign
from deploy.names import PROJECT, ROUTE
from deploy.policies import Scope, function_policy
from deploy.rest_api import find_rest_api, request_url
from deploy.settings import configuration, current
from deploy.target import Target
from shared.wire.messages import SECURITY_GROUP_CHANGE

_SECONDS: Final = 10
_ALIVE: Final = ("no_text", "invalid_payload", "no_blocks", "missing_text_or_fallback_or_attachments")
"""Slack's answers to an empty message when the webhook itself is fine.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""
_UNAUTHORIZED: Final = 401
_ADDRESSES: Final = ("https://", "http://127.0.0.1:")
"""What the product accepts as a webhook: Slack's, or a stand-in on the same machine."""
_BODY: Final = b"payload=%7B%22type%22%3A%22doctor%22%7D"


def api(target: Target) -> Iterator[str]:
    """The REST API that Slack sends clicks to exists."""
    if configuration(target, ROUTE) is not None and not find_rest_api(target):
        yield (
            "The REST API that Slack sends clicks to is missing; run `make deploy-central` again. "
            "It will have a new address."
        )


def secrets(target: Target) -> Iterator[str]:
    """Every secret can be read and looks like one."""
    settings = current(target)
    hooks = []
    for name in SECRETS:
        reference = settings.get(name, "")
        value, problem = resolve(target, reference)
        if name in HOOKS and value:
            hooks.append(value)
        if problem:
            yield f"The setting {name} {problem}"
        elif not _may_read(target, name, reference):
            ending = "…HookUrl" if name in HOOKS else "…"
            yield (
                f"The setting {name} refers to {reference}, which the functions may not read: their policies allow "
                f"names such as /{PROJECT}/{ending} (docs/deploy.md, step 3)."
            )
        elif name == SIGNING_SECRET and not re.fullmatch(r"[0-9a-f]{32}", value):
            yield (
                f"The secret {name} does not look like one of Slack's (32 hexadecimal digits), so clicks are refused: "
                "copy it from the Slack app's Basic Information."
            )
        elif name in HOOKS and not value.startswith(_ADDRESSES):
            yield (
                f"The secret {name} is not an https:// address, so nothing is posted there: copy it from the app's "
                "Incoming Webhooks."
            )
    if len(hooks) > len(set(hooks)):
        yield "Both channels have the same webhook, so questions and monitoring would be in one channel."


def webhooks(target: Target) -> Iterator[str]:
    """Both webhooks still exist in Slack."""
    settings = current(target)
    for name in HOOKS:
        url, problem = resolve(target, settings.get(name, ""))
        if problem or not url.startswith(_ADDRESSES):
            continue  # reported by another check
        try:
            answer = requests.post(url, json={}, timeout=_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            yield f"The webhook {name} could not be reached from here ({type(error).__name__})."
            continue
        said = answer.text.strip()[:60]
        if said not in _ALIVE and answer.status_code != requests.codes.ok:
            yield (
                f"The webhook {name} is dead (Slack says {answer.status_code} {said}): make a new one and store it "
                "with `python -m deploy secrets`."
            )


def signature(target: Target) -> Iterator[str]:
    """The route accepts a request signed with the stored secret, and refuses an unsigned one."""
    api_id = find_rest_api(target)
    secret, problem = resolve(target, current(target).get(SIGNING_SECRET, ""))
    if api_id and not problem:  # otherwise reported by other checks
        yield from probe(request_url(target.place.region, api_id), secret)


def probe(url: str, secret: str) -> Iterator[str]:
    """Send the route one unsigned and one signed request; neither is a click, so neither changes anything.

    Args:
        url: the route.
        secret: the signing secret.
    """
    try:
        unsigned = _post(url, {})
        timestamp = str(int(time.time()))
        headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": sign(secret, timestamp, _BODY)}
        signed = _post(url, headers)
    except requests.RequestException as error:
        yield f"The route {url} could not be reached from here ({type(error).__name__})."
        return
    if unsigned != _UNAUTHORIZED:
        yield (
            f"The route answers {unsigned} to a request without signature instead of 401: the function fails; "
            "look at its log."
        )
    elif signed == _UNAUTHORIZED:
        yield (
            f"The route refuses a request signed with the stored {SIGNING_SECRET}: the function still has another one, "
            "or the clock is wrong. Run `make deploy-central` to restart it."
        )


def resolve(target: Target, value: str) -> tuple[str, str]:
    """Return the secret behind a setting and ``""``, or ``""`` and what is wrong with it.

    Args:
        target: the central app.
        value: of the setting: the secret itself or its reference.
    """
    if not value:
        return "", "is empty; run `make deploy-central` with its reference."
    kind, _, name = value.partition(":")
    if kind == "ssm":
        found = target.find("ssm", "get_parameter", Name=name, WithDecryption=True)
        if found is not None and found["Parameter"]["Type"] != "SecureString":
            return "", f"refers to {name}, which is not a SecureString."
        secret = None if found is None else found["Parameter"]["Value"]
    elif kind == "secretsmanager":
        found = target.find("secretsmanager", "get_secret_value", SecretId=name)
        secret = None if found is None else found["SecretString"]
    else:
        return value, ""
    if secret is None:
        return "", f"refers to {value}, which does not exist: store it with `python -m deploy secrets`."
    return secret, ""


def _may_read(target: Target, name: str, reference: str) -> bool:
    """True when the policy of the function that needs a secret allows to read its reference."""
    kind, _, stored = reference.partition(":")
    if kind not in ("ssm", "secretsmanager"):
        return True  # the secret itself
    if kind == "ssm":
        arn = target.place.arn("ssm", f"parameter/{stored.removeprefix('/')}")
    else:
        arn = stored if stored.startswith("arn:") else target.place.arn("secretsmanager", f"secret:{stored}-AbCdEf")
    reader = SECURITY_GROUP_CHANGE if name in HOOKS else ROUTE
    statements = function_policy(reader, Scope(place=target.place))["Statement"]
    allowed = [one["Resource"] for one in statements if one["Sid"] in ("SecretParameters", "Secrets")]
    patterns = [one for some in allowed for one in ([some] if isinstance(some, str) else some)]
    return any(fnmatchcase(arn, pattern) for pattern in patterns)


def _post(url: str, headers: dict[str, str]) -> int:
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return requests.post(url, data=_BODY, headers=form, timeout=_SECONDS, allow_redirects=False).status_code
