"""A head start for a function: what it does in Lambda's init phase, which runs with more CPU than the invocations.

Nothing of this happens anywhere but in Lambda, and nothing depends on it: everything is made when it is needed, if it
is not there yet. What each function needs, its app says (``chalicelib/preparing.py``).

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.settings import optional
from shared.telemetry import logger


def prepare_function(preparations: Mapping[str, Callable[[str], None]]) -> None:
    """Make the function that is running ready for its first event; what fails is tried again, and told, when needed.

    Args:
        preparations: by the handler's name in ``app.py``; each gets the region.
    """
    here = optional("AWS_REGION")
    make_ready = preparations.get(optional("_HANDLER").rpartition(".")[2])
    if make_ready is None or not here or not optional("AWS_LAMBDA_FUNCTION_NAME"):
        return
    try:
        make_ready(here)
    except Exception as error:  # noqa: BLE001 - whatever it is, events are still handled
        logger.warning("not ready", extra={"problem": f"{type(error).__name__}: {error}"})
