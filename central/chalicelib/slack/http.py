"""One HTTP exchange with Slack: bounded in time, repeated while Slack is busy or broken.

Addresses and tokens are secrets: whoever has one can speak in the channel. So no error and no log record of this module
contains one, and what the HTTP library says about an error (it repeats the address) is not passed on.

What does not belong here: which addresses there are (``slack.webhook``, ``slack.web_api``).

https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    import requests

_CONNECT_SECONDS: Final = 3.0
_READ_SECONDS: Final = 10.0
_SHORTEST_SECONDS: Final = 1.0
"""How long one try may take; one is made even when there is no time left."""

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
_JSON: Final = "application/json; charset=utf-8"
_FORM: Final = "application/x-www-form-urlencoded"
_OK: Final = 200
_REDIRECT: Final = 300
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_MESSAGE_REFUSED: Final = frozenset({400, 413})
_LONGEST_CODE: Final = 60

_TEMPORARY: Final = frozenset(
    {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
"""https://docs.slack.dev/reference/methods/chat.postMessage#errors"""

_ABOUT_ADDRESS: Final = frozenset(
    {
        *("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "no_permission"),
        *("missing_scope", "not_allowed_token_type", "ekm_access_denied", "team_access_not_granted", "access_denied"),
        *("channel_not_found", "not_in_channel", "is_archived", "restricted_action", "org_login_required"),
    }
)
"""What holds for every message to that channel or with that token, not for this message alone."""

Answer = Mapping[str, Any]
"""The JSON object that Slack answered; empty where it answered plain text."""


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


def send(url: str, payload: Mapping[str, Any], *, until: float, token: str = "", as_form: bool = False) -> Answer:
    """Send a body; try again while Slack is busy or broken, as long as there is time.

    Args:
        url: where.
        payload: the body.
        until: ``time.monotonic()`` after which nothing is tried any more. One try is always made.
        token: a bot token, for a method of the Web API.
        as_form: send it as a form, which is all that methods take that only read; else as JSON.

    Raises:
        SlackUnavailableError: after 429, 5xx or connection errors, when the time is up.
        SlackRefusedError: for every other answer but 2xx, and for one that says ``"ok": false``.
    """
    pause = _FIRST_PAUSE_SECONDS
    pauses_left = until - time.monotonic()  # counted separately, so that this ends even if a clock does not advance
    while True:
        answer = _try(url, payload, until, token, as_form=as_form)
        if not isinstance(answer, _Busy):
            return answer
        wait = max(pause, answer.retry_after or 0.0)  # some ask for no pause at all
        pauses_left -= wait
        if pauses_left <= 0 or time.monotonic() + wait >= until:
            raise SlackUnavailableError(answer.problem)
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def send_once(url: str, payload: Mapping[str, Any], *, seconds: float, token: str = "") -> Answer:
    """Send a JSON body with one try of about ``seconds`` at most.

    Raises:
        SlackUnavailableError: when it could not be delivered in that time.
        SlackRefusedError: when Slack refuses it.
    """
    answer = _try(url, payload, time.monotonic() + seconds, token)
    if isinstance(answer, _Busy):
        raise SlackUnavailableError(answer.problem)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Busy:
    """A temporary problem, and after how many seconds Slack wants the next try."""

    problem: str
    retry_after: float | None = None


def _try(url: str, payload: Mapping[str, Any], until: float, token: str, *, as_form: bool = False) -> Answer | _Busy:
    left = max(until - time.monotonic(), _SHORTEST_SECONDS)
    timeout = (min(_CONNECT_SECONDS, left / 2), min(_READ_SECONDS, left / 2))
    session, given_up = _session(), threading.Event()
    headers = {"Content-Type": _FORM if as_form else _JSON, **({"Authorization": f"Bearer {token}"} if token else {})}
    text = urlencode(payload) if as_form else json.dumps(payload)
    body = _Body(text.encode(), given_up)
    answers: list[requests.Response] = []
    failures = ["it took too long"]
    unforeseen: list[BaseException] = []

    def send() -> None:
        try:
            answers.append(session.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False))
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
    return _judge(answers[0]) if answers else _Busy(problem=f"Slack could not be reached ({failures[-1]})")


class _Body(io.BytesIO):
    """A message whose sending ends when nobody waits for it any more: it might replace a later one."""

    def __init__(self, message: bytes, given_up: threading.Event) -> None:
        super().__init__(message)
        self._given_up = given_up

    def read(self, size: int | None = -1, /) -> bytes:
        if self._given_up.is_set():
            raise TimeoutError
        return super().read(size)


def _judge(answer: requests.Response) -> Answer | _Busy:
    status = answer.status_code
    if _OK <= status < _REDIRECT:
        return _read(answer)
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        return _Busy(problem=f"Slack answered {status}", retry_after=_retry_after(answer))
    raise _refusal(status, answer.text, is_about_message=status in _MESSAGE_REFUSED)


def _read(answer: requests.Response) -> Answer | _Busy:
    """Return the answer, unless it is a 200 that says ``{"ok": false, "error": "…"}``, as Slack's methods do."""
    try:
        body = answer.json() if answer.text.startswith("{") else {}
    except ValueError:
        return {}
    if body.get("ok") is not False:
        return body
    code = str(body.get("error", ""))
    if code in _TEMPORARY:
        return _Busy(problem=f"Slack answered {code}", retry_after=_retry_after(answer))
    raise _refusal(answer.status_code, code, is_about_message=code not in _ABOUT_ADDRESS)


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
