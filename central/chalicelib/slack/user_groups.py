"""Who is in which user group: asked of Slack, remembered for five minutes in each container.

Only active full members of the workspace count (``slackTeamId``): guests can be put into a group. Whatever cannot be
found out in time counts as no, so that nobody decides because Slack is slow or broken. Without a bot token nobody can
be asked.

What does not belong here: what membership means for a decision (``shared.domain.user_groups``).

https://docs.slack.dev/reference/methods/usergroups.users.list and https://docs.slack.dev/reference/methods/users.info
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final

from shared.settings import SettingError, optional
from shared.telemetry import count, logger

from ..secrets import renewed, secret
from .web_api import BOT_TOKEN, has_token, is_full_member, members_of
from .webhook import SlackError, SlackRefusedError

_SECONDS: Final = 0.9
"""How long all questions of one click may take together: Slack waits three seconds for the answer to it."""

_REMEMBERED_SECONDS: Final = 300.0

_FAILED_SECONDS: Final = 2.0
"""So long a failure is remembered, so that one click waits for it once."""

_MOST_AT_ONCE: Final = 10

_remembered: Final[dict[tuple[str, ...], tuple[float, Any]]] = {}
"""What Slack answered to a question, and until when that holds; for the life of the container."""


def members_among(user_groups: Iterable[str], users: Collection[str]) -> dict[str, frozenset[str]]:
    """Return, by user group, which of some users count as its members.

    Args:
        user_groups: ids, ``S…``.
        users: ids, ``U…`` or ``W…``: who clicks, and who has approved.
    """
    groups = sorted(set(user_groups))
    if not groups or not users or not has_token():
        return {}
    try:
        secret(BOT_TOKEN)  # resolved here: the threads below make no client of AWS
    except SettingError as error:
        _report([str(error)])
        return {}
    team = optional("slackTeamId")
    until = time.monotonic() + _SECONDS
    asked: dict[tuple[str, ...], Callable[[], Any]] = {}
    for group in groups:
        asked["group", group] = partial(members_of, group, until=until)
    for user in users:
        asked["user", user, team] = partial(is_full_member, user, team, until=until)
    known = _answers(asked, until)
    full = frozenset(user for user in users if known.get(("user", user, team)))
    return {group: full & (known.get(("group", group)) or frozenset()) for group in groups}


def forget_members() -> None:
    """Forget what Slack answered, as a new container would."""
    _remembered.clear()


def _answers(asked: dict[tuple[str, ...], Callable[[], Any]], until: float) -> dict[tuple[str, ...], Any]:
    """Return what is known, by question, and ``None`` for what failed; asks all at once what is not."""
    now = time.monotonic()
    found = {key: _remembered[key][1] for key in asked if key in _remembered and _remembered[key][0] > now}
    left = [key for key in asked if key not in found]
    if not left:
        return found
    pool = ThreadPoolExecutor(min(len(left), _MOST_AT_ONCE))
    asking = {pool.submit(asked[key]): key for key in left}
    done, late = wait(asking, timeout=max(until - now, 0.0))
    pool.shutdown(wait=False, cancel_futures=True)
    problems = ["no answer in time"] if late else []
    for one, key in asking.items():
        answer, seconds = None, _FAILED_SECONDS
        if one in done:
            try:
                answer, seconds = one.result(), _REMEMBERED_SECONDS
            except (SlackError, SettingError) as error:
                problems.append(str(error))
                if isinstance(error, SlackRefusedError) and not error.is_about_message:
                    renewed(BOT_TOKEN)  # the next click may find one that works
        found[key] = answer
        _remembered[key] = (time.monotonic() + seconds, answer)
    if problems:
        _report(problems)
    return found


def _report(problems: Iterable[str]) -> None:
    count("SlackFailures", channel="user groups")
    logger.warning("user groups not known, so they count nobody", extra={"problem": "; ".join(sorted(problems))})
