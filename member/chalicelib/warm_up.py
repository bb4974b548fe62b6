"""What each function of this app loads and makes before its first event (``shared.warm_up``).

The functions share a code base, not their imports: each loads what its own trigger needs and makes the clients for it,
no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.aws.clients import client
from shared.settings import optional
from shared.warm_up import warm_up_function

from . import context


def prepare() -> None:
    """Make the function that is running ready for its first event."""
    warm_up_function(_READY)


def _revert(here: str) -> None:
    """Only what closes a port: the other clients are made when one has been closed."""
    from shared.policy.loading import load_policies

    from . import revert  # noqa: F401 - loads the way to the revoke

    client("ec2", here)
    if any(entry.is_lenient for entry in load_policies().general.rules):
        from . import risk  # noqa: F401 - what needs 0 approvals is decided before the revoke
    context.find_own_role(here)


def _apply(here: str) -> None:
    from . import approval  # noqa: F401 - loads the flow

    client("dynamodb", here)
    client("ec2", here)
    client("sns", optional("centralRegion") or here)


def _snapshot(here: str) -> None:
    from . import snapshot  # noqa: F401 - loads the flow

    client("dynamodb", here)
    client("ec2", here, retries="adaptive")


_READY: Final[Mapping[str, Callable[[str], None]]] = {
    "revertSecurityGroup": _revert,
    "applySecurityGroupChange": _apply,
    "snapshotSecurityGroups": _snapshot,
}
