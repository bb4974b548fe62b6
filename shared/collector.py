"""Pauses Python's garbage collector while an app is loaded; ``app.py`` imports this before all else.

Loading makes a hundred thousand objects that stay, and hardly any garbage. The collector looks through them again and
again all the same, which takes some five percent of a cold start. When everything is loaded, it leaves what is there
alone for good, and goes on as usual with what comes later.

Only in Lambda: elsewhere an app shares its process with a test run or the sandbox, whose garbage is its own business.

https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import gc

from shared.settings import optional

_IN_LAMBDA = bool(optional("AWS_LAMBDA_FUNCTION_NAME"))

if _IN_LAMBDA:
    gc.disable()


def resume() -> None:
    """Let the collector go on, but not through what has been loaded so far."""
    if _IN_LAMBDA:
        gc.freeze()
        gc.enable()
