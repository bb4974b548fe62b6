"""Approved rules that a requester has put back after removing them: the removal is not applied as such any more.

The central account sees to it that nobody is asked about such a removal. But it may have been approved just before the
second call's event arrived. So that event leaves a note in the baseline, and whoever applies a removal looks for one.
Notes are differences in form: a key, when it was noted, and the request that put the rule back. Pure.

What does not belong here: what several calls come to together (``shared.domain.net_change``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.domain.caller import Caller, is_person
from shared.domain.operations import Added, operations_of
from shared.domain.request import Request

from ..rule_set import RuleSet
from ..state.baseline import Difference

PUT_BACK: Final = "put back: "
"""Begins the key of such a note; the identity of the rule follows."""


def keys_of_put_back(request: Request, approved: RuleSet) -> list[str]:
    """Return the keys of the notes that a request leaves: its call made rules that are approved.

    EC2 refuses a rule that is there already, so each of them had been removed before.
    """
    steps = request.operations or operations_of(request.change)
    made = (step.rule for step in steps if isinstance(step, Added))
    return [f"{PUT_BACK}{rule.identity}" for rule in made if approved.like(rule) is not None]


def notes_about(removal: Request, differences: Iterable[Difference]) -> list[Difference]:
    """Return the notes about rules that a request removes."""
    keys = {f"{PUT_BACK}{rule.identity}" for rule in removal.change.removed}
    return [one for one in differences if one.key in keys and one.request_id != removal.request_id]


def has_overtaken(later: Request, removal: Request) -> bool:
    """Say whether the request that put a rule back is the same requester's, and not older than the removal."""
    if later.requester is None or removal.requester is None or later.event_time < removal.event_time:
        return False
    return _who(later.requester) == _who(removal.requester)


def _who(caller: Caller) -> str:
    """Return who somebody is: the role or user; of people of Identity Center, the session."""
    return caller.arn if is_person(caller) else caller.principal_arn or caller.arn or caller.name
