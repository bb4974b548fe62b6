"""What a function does before its first event: Lambda's init phase, which runs with more CPU than the invocations.

The functions share a code base, not their imports: each loads what its own trigger needs and makes the clients for it,
no more. Nothing of this happens anywhere but in Lambda, and it is never more than a head start: everything is made
when it is needed, if it is not there yet.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.aws.clients import client
from shared.settings import optional, secret
from shared.telemetry import logger


def prepare() -> None:
    """Make the function that is running ready for its first event; what fails is tried again, and told, when needed."""
    here = optional("AWS_REGION")
    make_ready = _READY.get(optional("_HANDLER").rpartition(".")[2])
    if make_ready is None or not here or not optional("AWS_LAMBDA_FUNCTION_NAME"):
        return
    try:
        make_ready(here)
    except Exception as error:  # noqa: BLE001 - whatever it is, triggers are still handled
        logger.warning("not ready", extra={"problem": f"{type(error).__name__}: {error}"})


def _click(here: str) -> None:
    from shared.policy.loading import load_policies
    from shared.slack.webhook import warm_up

    from . import clicks  # noqa: F401 - loads the flow

    client("dynamodb", here, pace="hurried")
    client("sns", here, pace="hurried")
    warm_up()
    load_policies()
    secret("slackSigningSecret")


def _store_and_tell(here: str) -> None:
    from . import outcomes, storing  # noqa: F401 - loads the flows

    _tell(here)


def _take_in(here: str) -> None:
    from . import outcomes  # noqa: F401 - loads the flow

    _tell(here)


def _sweep(here: str) -> None:
    from . import sweeping  # noqa: F401 - loads the flow; most sweeps post nothing

    client("dynamodb", here)


def _tell(here: str) -> None:
    from shared.slack.webhook import warm_up

    client("dynamodb", here)
    warm_up()


_READY: Final[Mapping[str, Callable[[str], None]]] = {
    "app": _click,  # Chalice's handler of all routes
    "securityGroupChange": _store_and_tell,
    "denySecurityGroupChange": _take_in,
    "errorHandlerSecurityGroupChange": _take_in,
    "sweepRequests": _sweep,
}
