"""The verb ``secrets``: asks for the Slack app's secrets and stores them in SSM, where the functions read them.

Nothing that is typed is shown, printed or put on a command line, where a shell's history and other users would see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from getpass import getpass
from typing import Final
from urllib.parse import urlsplit

from central.chalicelib.secrets import HOOKS, SECRETS, SIGNING_SECRET
from deploy.console import done, note, step
from deploy.errors import DeployError
from deploy.settings import current
from deploy.staging import shipped_stage
from deploy.target import Target

Ask = Callable[[str], str]

BOT_TOKEN: Final = "slackBotToken"  # noqa: S105 - the name of a setting
_TRIES: Final = 3
_SSM: Final = "ssm:"
_SIGNING_SECRET: Final = re.compile(r"[0-9a-f]{32}")
_SLACK_HOSTS: Final = ("hooks.slack.com", "hooks.slack-gov.com")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_WHERE: Final[Mapping[str, str]] = {
    SIGNING_SECRET: "Basic Information → App Credentials → Signing Secret",
    **dict.fromkeys(HOOKS, "Incoming Webhooks → Webhook URL"),
    BOT_TOKEN: "OAuth & Permissions → Bot User OAuth Token",
}
_OPTIONAL: Final = (BOT_TOKEN,)
"""Asked for where a setting refers to them; an empty answer is one."""


def secrets(target: Target, *, ask: Ask = getpass) -> int:
    """Ask for each secret and store it; an empty answer keeps what is stored.

    Args:
        target: the central app.
        ask: shows a question and returns the answer, which nobody sees.

    Raises:
        DeployError: when an answer has the wrong form three times, or nothing is stored and nothing is given.
    """
    place = target.place
    step(f"secrets of the Slack app → SSM of account {place.account}, {place.region} (nothing is shown as you paste)")
    references = shipped_stage("central")["environment_variables"] | {k: v for k, v in current(target).items() if v}
    values: dict[str, str] = {}
    for name in (*SECRETS, *(one for one in _OPTIONAL if references.get(one))):
        parameter = references[name].removeprefix(_SSM)
        if parameter == references[name]:
            note(f"{name} is not stored in SSM: its setting refers to something else. It is left as it is.")
            continue
        kept = _stored(target, parameter)
        value = _answer(ask, name, kept, values)
        values[name] = value
        if value == kept:
            note(f"{name}: {'unchanged' if kept else 'not used'}")
            continue
        target.client("ssm").put_parameter(Name=parameter, Value=value, Type="SecureString", Overwrite=True)
        done(f"{name} is stored as {parameter}")
    note("Now run `make doctor`: it says whether Slack and the functions accept them.")
    return 0


def problem_of(name: str, value: str, others: Mapping[str, str]) -> str:
    """Return what is wrong with a secret as a sentence without the secret; ``""`` when nothing is.

    Args:
        name: of its setting.
        value: as it was pasted.
        others: what was given for other settings.
    """
    if name == SIGNING_SECRET:
        is_one = _SIGNING_SECRET.fullmatch(value)
        return "" if is_one else "A signing secret has 32 hexadecimal digits, lower case."
    if name == BOT_TOKEN:
        is_token = value.startswith("xoxb-") and not any(char.isspace() for char in value)
        return "" if is_token else "A bot token begins with xoxb-."
    parts = urlsplit(value)
    if any(char.isspace() for char in value) or not parts.hostname:
        return "That is not one address."
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return "A webhook's address begins with https://."
    if parts.hostname in _SLACK_HOSTS and not re.fullmatch(r"/services/T\w+/B\w+/\w+", parts.path):
        return "Slack's webhooks look like https://hooks.slack.com/services/T…/B…/…; a part is missing, or too much."
    same = [one for one, other in others.items() if other == value]
    if same:
        return f"That is the webhook of {same[0]}: questions and monitoring would be in one channel."
    return ""


def _answer(ask: Ask, name: str, kept: str, others: Mapping[str, str]) -> str:
    """Return the secret; ask again while it has the wrong form."""
    keeps = ", empty to keep the stored one" if kept else ", empty for none" if name in _OPTIONAL else ""
    for _ in range(_TRIES):
        value = ask(f"  {name} ({_WHERE[name]}{keeps}): ").strip() or kept
        if not value and name in _OPTIONAL:
            return ""
        problem = problem_of(name, value, others) if value else "Nothing is stored yet, so it is needed."
        if not problem:
            return value
        note(problem)
    raise DeployError(f"{name} was not stored; run this again when you have it.")


def _stored(target: Target, parameter: str) -> str:
    found = target.find("ssm", "get_parameter", Name=parameter, WithDecryption=True)
    if found is None or found["Parameter"]["Type"] != "SecureString":
        return ""
    return str(found["Parameter"]["Value"])
