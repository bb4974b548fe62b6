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
from shared.settings import optional
from shared.telemetry import logger

from . import runtime


def prepare() -> None:
    """Make the function that is running ready for its first event; what fails is tried again, and told, when needed."""
    here = optional("AWS_REGION")
    make_ready = _READY.get(optional("_HANDLER").rpartition(".")[2])
    if make_ready is None or not here or not optional("AWS_LAMBDA_FUNCTION_NAME"):
        return
    try:
        make_ready(here)
    except Exception as error:  # noqa: BLE001 - whatever it is, events are still handled
        logger.warning("not ready", extra={"problem": f"{type(error).__name__}: {error}"})


def _revert(here: str) -> None:
    """Only what closes a port: the other clients are made when one has been closed."""
    from shared.policy.loading import load_policies

    from . import closing  # noqa: F401 - loads the way to the revoke

    client("ec2", here)
    load_policies()
    runtime.learn_own_role(here)


def _apply(here: str) -> None:
    from . import applying  # noqa: F401 - loads the flow

    client("dynamodb", here)
    client("ec2", here)
    client("sns", optional("centralRegion") or here)


def _snapshot(here: str) -> None:
    from . import snapshots  # noqa: F401 - loads the flow

    client("dynamodb", here)
    client("ec2", here, pace="steady")


_READY: Final[Mapping[str, Callable[[str], None]]] = {
    "revertSecurityGroup": _revert,
    "applySecurityGroupChange": _apply,
    "snapshotSecurityGroups": _snapshot,
}
