"""Checks of the central account: the API, the secrets, the webhooks, and a signed request to the route.

No secret is shown, and nothing is posted to Slack: an empty message makes a living webhook complain, and a dead one
too, but differently.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

import requests
from botocore.exceptions import ClientError

from central.chalicelib.slack.signature import sign
from deploy.names import ROUTE
from deploy.policies import function_policy
from deploy.running_chalice import find_rest_api
from deploy.settings import configuration, current
from deploy.staging import place_scope
from deploy.target import Target, code_of

_SECONDS: Final = 10
_HOOKS: Final = ("approvalHookUrl", "monitoringHookUrl")
_ALIVE: Final = ("no_text", "invalid_payload", "no_blocks", "missing_text_or_fallback_or_attachments")
"""What Slack says of an empty message when the webhook itself is fine.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""
_UNAUTHORIZED: Final = 401
_ADDRESSES: Final = ("https://", "http://127.0.0.1:")
"""What the product takes as a webhook: Slack's, or a stand-in on this very machine."""


def api(target: Target) -> Iterator[str]:
    """The REST API that Slack sends clicks to exists."""
    if configuration(target, ROUTE) is not None and not find_rest_api(target):
        yield (
            "The REST API that Slack sends clicks to is missing; run `make deploy-central` again, its "
            "address will be new."
        )


def secrets(target: Target) -> Iterator[str]:
    """Every secret can be read and looks like one."""
    settings = current(target)
    for name in ("slackSigningSecret", *_HOOKS):
        reference = settings.get(name, "")
        value, problem = resolve(target, reference)
        if problem:
            yield f"The setting {name} {problem}"
        elif not _may_read(target, name, reference):
            ending = "…HookUrl" if name in _HOOKS else "…"
            yield (
                f"The setting {name} refers to {reference}, which the functions may not read: their policies allow "
                f"names such as /security-group-approval/{ending} (docs/deploy.md, step 3)."
            )
        elif name == "slackSigningSecret" and not re.fullmatch(r"[0-9a-f]{32}", value):
            yield (
                "The secret slackSigningSecret does not look like one of Slack's (32 hexadecimal "
                "digits), so clicks are refused: "
                "copy it from the Slack app's Basic Information."
            )
        elif name in _HOOKS and not value.startswith(_ADDRESSES):
            yield (
                f"The secret {name} is no https:// address, so nothing is posted there: copy it from the "
                "app's Incoming Webhooks."
            )
    if settings.get("approvalHookUrl") and settings.get("approvalHookUrl") == settings.get("monitoringHookUrl"):
        yield "Both channels have the same webhook: approvals and their monitoring would mix."


def _may_read(target: Target, name: str, reference: str) -> bool:
    """Tell whether the policy of the function that needs a secret allows to read where it is kept."""
    kind, _, stored = reference.partition(":")
    if kind not in ("ssm", "secretsmanager"):
        return True  # the secret itself
    if kind == "ssm":
        arn = target.place.arn("ssm", f"parameter/{stored.removeprefix('/')}")
    else:
        arn = stored if stored.startswith("arn:") else target.place.arn("secretsmanager", f"secret:{stored}-AbCdEf")
    reader = "securityGroupChange" if name in _HOOKS else ROUTE
    statements = function_policy("central", reader, place_scope(target.place))["Statement"]
    allowed = [one["Resource"] for one in statements if one["Sid"] in ("SecretParameters", "Secrets")]
    return any(fnmatchcase(arn, pattern) for pattern in allowed)


def webhooks(target: Target) -> Iterator[str]:
    """Slack still knows both webhooks."""
    settings = current(target)
    for name in _HOOKS:
        url, problem = resolve(target, settings.get(name, ""))
        if problem or not url.startswith(_ADDRESSES):
            continue  # said by another check
        try:
            answer = requests.post(url, json={}, timeout=_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            yield f"The webhook {name} could not be reached from here ({type(error).__name__})."
            continue
        said = answer.text.strip()[:60]
        if said not in _ALIVE and answer.status_code != requests.codes.ok:
            yield (
                f"The webhook {name} is dead (Slack says {answer.status_code} {said}): make a new one and "
                "store it (docs/deploy.md)."
            )


def signature(target: Target) -> Iterator[str]:
    """The route takes a request signed with the stored secret, and refuses one that is not."""
    api_id = find_rest_api(target)
    secret, problem = resolve(target, current(target).get("slackSigningSecret", ""))
    if not api_id or problem:
        return  # said by other checks
    from deploy.deploying import request_url

    yield from probe(request_url(target, api_id), secret)


def probe(url: str, secret: str) -> Iterator[str]:
    """Send the route one request without and one with a signature; neither is a click, so neither does anything.

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
            f"The route answers {unsigned} to a request without signature instead of 401: the function "
            "fails; look at its log."
        )
    elif signed == _UNAUTHORIZED:
        yield (
            "The route refuses a request signed with the stored slackSigningSecret: the function "
            "still has another one, or the "
            "clock is wrong. Run `make deploy-central` to start it anew."
        )


_BODY: Final = b"payload=%7B%22type%22%3A%22doctor%22%7D"


def _post(url: str, headers: dict[str, str]) -> int:
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return requests.post(url, data=_BODY, headers=form, timeout=_SECONDS, allow_redirects=False).status_code


def resolve(target: Target, value: str) -> tuple[str, str]:
    """Return the secret behind a setting and ``""``, or ``""`` and what is wrong with it.

    Args:
        target: the central app.
        value: of the setting: the secret itself or its reference.
    """
    if not value:
        return "", "is empty; run `make deploy-central` with its reference."
    try:
        if value.startswith("ssm:"):
            name = value.removeprefix("ssm:")
            answer = target.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
            return (
                (answer["Value"], "")
                if answer["Type"] == "SecureString"
                else ("", f"refers to {name}, which is no SecureString.")
            )
        if value.startswith("secretsmanager:"):
            name = value.removeprefix("secretsmanager:")
            return target.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"], ""
    except ClientError as error:
        if code_of(error) in ("ParameterNotFound", "ResourceNotFoundException"):
            return "", f"refers to {value}, which does not exist: put it there (docs/deploy.md, step 3)."
        raise
    return value, ""
