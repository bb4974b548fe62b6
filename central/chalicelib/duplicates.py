"""What becomes of duplicates: counted, shown with the request that they duplicate, and ended with it.

A pipeline or controller that puts its rule back each time it is reverted would flood both channels. So one question
stands for all of it; it is shown again, with the number, whenever that has grown a lot. Each duplicate is a request of
its own nevertheless, with its own history and digest, and may be decided on its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.request import Status
from shared.policy.loading import written_policies
from shared.telemetry import count, logger
from shared.wire.fields import FieldError

from .asks import has_room
from .context import Context
from .requests.duplicates_table import Duplicates
from .requests.fingerprint import JOINED_FOR, JOINING, shown_again_at
from .requests.moves import Move, Moved
from .requests.record import SUPERSEDED, Decision, Record, Task
from .requests.update_expression import Update
from .steps import facts

_SWEEP: Final = "sweep"
"""Who ended a duplicate, in its history, unless somebody denied the request that stood for it."""

_VERBS: Final = {"applied": "decided", "ended": "decided", "expired": "expired"}


def store_duplicate(context: Context, record: Record) -> Record | None:
    """Store a new request as a duplicate of another, if it is one.

    Returns:
        ``None`` when it is none, or that could not be found out: then it is asked on its own, and nothing is lost.
    """
    if record.status not in JOINING:
        return None
    duplicates = Duplicates(context.table)
    try:
        joins_for = min(JOINED_FOR, written_policies().for_account(record.request.account).expires_after)
        original = duplicates.original_of(record, since=context.now - joins_for)
        stored = duplicates.store(record, original, joins_for=joins_for) if original else None
    except (ClientError, BotoCoreError) as error:
        problem = f"{type(error).__name__}: {error}"
        logger.warning("duplicates not looked up", extra={**facts(record), "problem": problem})
        return None
    if stored is not None:
        count("Duplicates", account=record.request.account)
        logger.info("request is a duplicate", extra={**facts(record), "duplicate_of": original})
    return stored


def show_again(context: Context, duplicate: Record) -> None:
    """Show the question that stands for a duplicate again, with the number, if that is due.

    Raises:
        UnpostedError: when a setting or a dead webhook kept it from Slack; the sweep tries again.
    """
    original = context.table.get(duplicate.duplicate_of)
    if original is None or original.status != original.request.status or original.asked_in:
        return  # decided, or asked with the other requests of its batch
    made = shown_again_at(original.times_made)
    if made <= original.duplicates_shown:
        return
    tasks: tuple[Task, ...] = ("announce",) if original.status == "denied" else ("ask", "announce")
    update = Update()
    update.set("duplicatesShown", made)
    shown = update.name("duplicatesShown")
    update.require(f"(attribute_not_exists({shown}) OR {shown} < {update.value(made)})")
    note = f"shown again: made {original.times_made} times"
    context.outbox.begin(original, tasks, by=duplicate.request.account, note=note, update=update)


class PendingDuplicates:
    """The duplicates that one sweep meets, and what became of the requests that stood for them."""

    def __init__(self, context: Context) -> None:
        """Take the sweep's invocation."""
        self._context = context
        self._originals: dict[str, Record | None] = {}
        self._asked_instead: dict[str, str] = {}

    def end(self, duplicate: Record, expires_after: timedelta | None) -> None:
        """End a pending duplicate when the request that stood for it has ended.

        Nothing is posted about it: the outcome of the other one stood for all. Where that one could not be applied, or
        cannot be read any more, one of its duplicates is asked in its place.

        Args:
            duplicate: a pending one.
            expires_after: how long a request waits for a decision at most; ``None`` where the policy does not say.

        Raises:
            UnpostedError: when a setting or a dead webhook kept a question from Slack; the sweep tries again.
        """
        original = self._original_of(duplicate)
        if original is not None and original.is_superseded and self._is_cancelled_too(original, duplicate):
            self._move(duplicate, "expired", note=SUPERSEDED)
        elif original is None or original.status == "error" or original.is_superseded:
            self._ask_instead(duplicate)
        elif original.status == "denied":
            note = f"decided with request {duplicate.duplicate_of}"
            self._move(duplicate, "denied", note=note, decision=original.decision)
        elif original.status in _VERBS:
            self._move(duplicate, "expired", note=f"{_VERBS[original.status]} with request {duplicate.duplicate_of}")
        elif expires_after is not None and duplicate.requested_at + expires_after <= self._context.now:
            self._move(duplicate, "expired", note="nobody decided in time")

    def _is_cancelled_too(self, original: Record, duplicate: Record) -> bool:
        """Say whether the call that cancelled the other request came after the duplicate's, too."""
        later = self._context.table.get(original.superseded_by) if original.superseded_by else None
        return later is not None and later.request.event_time > duplicate.request.event_time

    def _original_of(self, duplicate: Record) -> Record | None:
        request_id = duplicate.duplicate_of
        if request_id not in self._originals:
            try:
                self._originals[request_id] = self._context.table.get(request_id)
            except FieldError:  # damaged: nobody can decide it
                self._originals[request_id] = None
        return self._originals[request_id]

    def _ask_instead(self, duplicate: Record) -> None:
        original = duplicate.duplicate_of
        instead = self._asked_instead.get(original)
        if instead is not None:
            self._move(duplicate, "expired", note=f"asked with request {instead}")
            return
        if not has_room(self._context, duplicate):
            self._move(duplicate, "expired", note="too many questions of its requester are open")
            return
        update = Update()
        update.remove("duplicateOf")
        update.require_equal("duplicateOf", original)
        note = f"asked on its own: request {original} was not applied"
        self._asked_instead[original] = duplicate.request.request_id  # also when posting fails below
        if not self._context.outbox.begin(duplicate, ("ask", "announce"), by=_SWEEP, note=note, update=update):
            del self._asked_instead[original]

    def _move(self, duplicate: Record, to: Status, *, note: str, decision: Decision | None = None) -> None:
        move = Move(
            request_id=duplicate.request.request_id,
            previous="pending",
            to=to,
            digest=duplicate.request.digest,
            at=self._context.now,
            by=_SWEEP if decision is None else decision.by,
            note=note,
            account=duplicate.request.account,
            decision=decision,
        )
        moved = self._context.table.move(move)
        if isinstance(moved, Moved):
            count("Outcomes", status=to)
            logger.info("duplicate ended", extra=facts(moved.record))
