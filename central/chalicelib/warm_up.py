"""What each function of this app loads and makes before its first event (``shared.warm_up``).

The functions share a code base, not their imports: each loads what its own trigger needs and makes the clients for it,
no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from shared.aws.clients import client
from shared.settings import SettingError, optional
from shared.warm_up import warm_up_function

from .secrets import secret


def prepare() -> None:
    """Make the function that is running ready for its first event."""
    warm_up_function(_READY)


def _click(here: str) -> None:
    client("dynamodb", here, retries="fail_fast")
    client("sns", here, retries="fail_fast")
    # Where the secret is a reference, AWS is asked. What is loaded meanwhile makes no client: a session is not made for
    # several threads.
    with ThreadPoolExecutor(max_workers=1) as meanwhile:
        reading = meanwhile.submit(_read_secrets)
        from shared.policy.loading import load_policies

        from . import click  # noqa: F401 - loads the flow
        from .slack.webhook import warm_up

        warm_up()
        load_policies()
    reading.result()


def _read_secrets() -> None:
    secret("slackSigningSecret")
    if optional("slackBotToken"):
        with suppress(SettingError):  # it stops what needs it, and only that
            secret("slackBotToken")


def _store(here: str) -> None:
    from . import adoption, intake, outcome  # noqa: F401 - loads the flows

    _ready_to_post(here)


def _record_outcome(here: str) -> None:
    from . import outcome  # noqa: F401 - loads the flow

    _ready_to_post(here)


def _sweep(here: str) -> None:
    from . import sweep  # noqa: F401 - loads the flow; most sweeps post nothing

    client("dynamodb", here)


def _ready_to_post(here: str) -> None:
    from .slack.webhook import warm_up

    client("dynamodb", here)
    warm_up()


_READY: Final[Mapping[str, Callable[[str], None]]] = {
    "app": _click,  # Chalice's handler of all routes
    "securityGroupChange": _store,
    "denySecurityGroupChange": _record_outcome,
    "errorHandlerSecurityGroupChange": _record_outcome,
    "sweepRequests": _sweep,
}
