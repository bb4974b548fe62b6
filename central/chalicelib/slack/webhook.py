"""Posts messages to Slack: incoming webhooks and ``response_url``.

Both kinds of address are secrets: whoever has one can speak in the channel. So no error and no log record of this
module contains an address, and what the HTTP library says about an error (it repeats the address) is not passed on.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
"""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from shared.settings import SettingError

from ..secrets import secret

if TYPE_CHECKING:
    import requests

HookSetting = Literal["approvalHookUrl", "monitoringHookUrl"]

SLACK_HOOKS: Final = "https://hooks.slack.com"

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CONNECT_SECONDS: Final = 3.0
_READ_SECONDS: Final = 10.0
_SHORTEST_SECONDS: Final = 1.0
"""How long one try may take; one is made even when there is no time left."""

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
_JSON: Final = {"Content-Type": "application/json"}
_OK: Final = 200
_REDIRECT: Final = 300
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_MESSAGE_REFUSED: Final = frozenset({400, 413})
_LONGEST_CODE: Final = 60


class SlackError(RuntimeError):
    """Slack did not accept a message."""


class SlackUnavailableError(SlackError):
    """Slack could not be reached, is too busy or is broken; the same message may be accepted later."""


class SlackRefusedError(SlackError):
    """Slack refuses, and will again.

    Attributes:
        code: Slack's plain-text code, e.g. ``invalid_blocks`` or ``no_service``.
        is_about_message: it is this message that is refused; otherwise the address accepts no message at all.
    """

    def __init__(self, message: str, *, code: str, is_about_message: bool) -> None:
        super().__init__(message)
        self.code = code
        self.is_about_message = is_about_message


def hook_url(name: HookSetting) -> str:
    """Return the address of a channel's incoming webhook from the settings.

    Raises:
        SettingError: when it is missing, or neither an ``https`` address nor a loopback address.
    """
    url = secret(name)
    parts = _split(url)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise SettingError(
            f"Setting {name} is malformed: expected a webhook address such as {SLACK_HOOKS}/services/… "
            "(http is accepted for loopback addresses only)."
        )
    return url


def is_response_url(url: str) -> bool:
    """True for an address where the answer to a click may be posted.

    The address comes with a signed request; even so, nothing is sent to other hosts. It is https on Slack's host or on
    the host of ``approvalHookUrl`` (Slack has others, for example for governments); or http on a loopback address, if
    that setting is a loopback address too (the sandbox, on whatever port).
    """
    parts = _split(url)
    if parts is None:
        return False
    try:
        own = _split(hook_url("approvalHookUrl"))
    except SettingError:
        own = None
    if parts.scheme == "http":
        return parts.hostname in _LOOPBACK and own is not None and own.hostname in _LOOPBACK
    return _origin(parts) in (SLACK_HOOKS, own and _origin(own))


def post(url: str, payload: Mapping[str, Any], *, until: float) -> None:
    """Post a message; try again while Slack is busy or broken, as long as there is time.

    Args:
        url: an incoming webhook or a ``response_url``.
        payload: the message.
        until: ``time.monotonic()`` after which nothing is tried any more. One try is always made.

    Raises:
        SlackUnavailableError: after 429, 5xx or connection errors, when the time is up.
        SlackRefusedError: for every other answer but 2xx.
    """
    pause = _FIRST_PAUSE_SECONDS
    pauses_left = until - time.monotonic()  # counted separately, so that this ends even if a clock does not advance
    while True:
        problem, asked = _try(url, payload, until)
        if not problem:
            return
        wait = max(pause, asked or 0.0)  # some ask for no pause at all
        pauses_left -= wait
        if pauses_left <= 0 or time.monotonic() + wait >= until:
            raise SlackUnavailableError(problem)
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def post_once(url: str, payload: Mapping[str, Any], *, seconds: float) -> None:
    """Post a message with one try of about ``seconds`` at most: for a click, which is answered within three seconds.

    Raises:
        SlackUnavailableError: when it could not be delivered in that time.
        SlackRefusedError: when Slack refuses it.
    """
    problem, _ = _try(url, payload, time.monotonic() + seconds)
    if problem:
        raise SlackUnavailableError(problem)


def _try(url: str, payload: Mapping[str, Any], until: float) -> tuple[str, float | None]:
    """Return the temporary problem (``""``: Slack accepted the message), and when Slack wants the next try."""
    left = max(until - time.monotonic(), _SHORTEST_SECONDS)
    timeout = (min(_CONNECT_SECONDS, left / 2), min(_READ_SECONDS, left / 2))
    session, given_up = _session(), threading.Event()
    body = _Body(json.dumps(payload).encode(), given_up)
    answers: list[requests.Response] = []
    failures = ["it took too long"]
    unforeseen: list[BaseException] = []

    def send() -> None:
        try:
            answers.append(session.post(url, data=body, headers=_JSON, timeout=timeout, allow_redirects=False))
        except OSError as error:  # all of the library's errors are
            failures.append(type(error).__name__)  # its text repeats the address
        except BaseException as error:  # noqa: BLE001 - raised again below, in the calling thread
            unforeseen.append(error)

    # A thread, because the library's timeouts hold from one received byte to the next, and not for looking up the name.
    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    sending.join(sum(timeout))
    given_up.set()
    if unforeseen:
        raise unforeseen[0]
    return _judge(answers[0]) if answers else (f"Slack could not be reached ({failures[-1]})", None)


class _Body(io.BytesIO):
    """A message whose sending ends when nobody waits for it any more: it might replace a later one."""

    def __init__(self, message: bytes, given_up: threading.Event) -> None:
        super().__init__(message)
        self._given_up = given_up

    def read(self, size: int | None = -1, /) -> bytes:
        if self._given_up.is_set():
            raise TimeoutError
        return super().read(size)


def _judge(answer: requests.Response) -> tuple[str, float | None]:
    status = answer.status_code
    if _OK <= status < _REDIRECT:
        _refuse_unless_ok(answer)
        return "", None
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        return f"Slack answered {status}", _retry_after(answer)
    raise _refusal(status, answer.text, is_about_message=status in _MESSAGE_REFUSED)


def _refuse_unless_ok(answer: requests.Response) -> None:
    """Raise for a 200 that says ``{"ok": false, "error": "expired_url"}``, as Slack's methods answer."""
    try:
        body = answer.json() if answer.text.startswith("{") else {}
    except ValueError:
        return
    if body.get("ok") is False:
        raise _refusal(answer.status_code, str(body.get("error", "")), is_about_message=True)


def _refusal(status: int, code: str, *, is_about_message: bool) -> SlackRefusedError:
    code = code.strip()[:_LONGEST_CODE]
    code = code if code.isascii() and code.replace("_", "").isalnum() else "no code"
    return SlackRefusedError(
        f"Slack refused the message: {status} {code}", code=code, is_about_message=is_about_message
    )


def _retry_after(answer: requests.Response) -> float | None:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    header = answer.headers.get("Retry-After")
    try:
        return None if header is None else max(Retry().parse_retry_after(header), 0.0)
    except InvalidHeader:
        return None


def warm_up() -> None:
    """Load the HTTP library before there is a message to post."""
    _session()


@lru_cache(maxsize=1)
def _session() -> requests.Session:
    import requests

    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # its debug records repeat the address
    return requests.Session()  # one per container: its connection to Slack stays open between messages


def _split(url: str) -> SplitResult | None:
    """Return the parts of a plain address; ``None`` for one that two libraries could read in two ways."""
    if not url.isascii() or not url.isprintable() or any(char in url for char in " \\"):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return None
    return None if not parts.hostname or "@" in parts.netloc else parts


def _origin(parts: SplitResult) -> str:
    """Return e.g. ``https://hooks.slack.com``, without the port where it is the scheme's own."""
    is_usual = parts.port in (None, {"https": 443, "http": 80}.get(parts.scheme))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{parts.port}")
