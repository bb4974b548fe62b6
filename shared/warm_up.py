"""The warm-up: what a function loads before its first event, in Lambda's init phase, which has more CPU.

It runs only in Lambda, and nothing depends on it: whatever is missing is made when it is first needed. Each app says
what its functions load (``chalicelib/warm_up.py``).

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.settings import optional
from shared.telemetry import logger


def warm_up_function(warm_ups: Mapping[str, Callable[[str], None]]) -> None:
    """Run the warm-up of the function that is running. A failure is logged; the first event then tries again.

    Args:
        warm_ups: by the handler's name in ``app.py``; each gets the region.
    """
    here = optional("AWS_REGION")
    warm_up = warm_ups.get(optional("_HANDLER").rpartition(".")[2])
    if warm_up is None or not here or not optional("AWS_LAMBDA_FUNCTION_NAME"):
        return
    try:
        warm_up(here)
    except Exception as error:  # noqa: BLE001 - whatever it is, events are still handled
        logger.warning("warm-up failed", extra={"problem": f"{type(error).__name__}: {error}"})
