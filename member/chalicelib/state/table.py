"""The member account's table ``securityGroupState``: baselines, ledger and adoptions, every write conditional.

No failure of this table may prevent a revert: what an event needs is read in one call by :meth:`StateTable.read`, which
says what could not be read instead of raising.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal, TypedDict, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.attributes import from_attributes, to_attribute, to_attributes
from shared.aws.clients import client
from shared.aws.conflicts import FIRST_PAUSE_SECONDS, retry_on_conflict
from shared.domain.retention import EXPIRES_AT, entry_kept_until
from shared.policy.loading import load_policies
from shared.wire.fields import FieldError
from shared.wire.rule_json import time_to_text

from .baseline import Baseline
from .items import (
    Adoption,
    Item,
    LedgerEntry,
    Outcome,
    adoption_from_item,
    adoption_to_item,
    baseline_from_item,
    baseline_to_item,
    entry_from_item,
    entry_to_item,
    group_key,
    region_key,
    request_key,
    turn_key,
    unread_from_item,
    unread_key,
    unread_to_item,
)
from .register import LONG_AGO
from .turns import TurnTakenError, turn

TABLE: Final = "securityGroupState"
_BATCH: Final = 100  # keys per BatchGetItem
_WRITTEN_AT_ONCE: Final = 100  # items a transaction may have; where they exceed its 4 MB they are written one by one
LONGEST_PAUSE_SECONDS: Final = 5.0
UPDATE_SECONDS: Final = 200.0
"""How long all pauses between tries of one update may be: five hundred calls at once take turns at one item."""
_READ_TRIES: Final = 8

_T = TypeVar("_T")
_Pause = Callable[[float], None]


class RaceLostError(RuntimeError):
    """Others kept writing the same item; the trigger is delivered again and finds a quieter moment."""


class _Put(TypedDict):
    TableName: str
    Item: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is stored about a request, its group and its region.

    Attributes:
        entry: the request's ledger entry.
        baseline: the group's baseline; ``None`` where there is none, or where it could not be read.
        adoption: the region's; ``None`` where there is none, or where it could not be read.
        unread_since: when the first call was made of which not even the group is known.
        damaged: which items cannot be understood, and why.
        unread: why the table could not be asked; nothing else is known then.
    """

    entry: LedgerEntry | None = None
    baseline: Baseline | None = None
    adoption: Adoption | None = None
    unread_since: datetime | None = None
    damaged: tuple[str, ...] = ()
    unread: Exception | None = None


class StateTable:
    """The table of one region of a member account."""

    def __init__(self, region: str, *, pause: _Pause, now: Callable[[], datetime]) -> None:
        """Take the region.

        Args:
            region: e.g. ``eu-west-1``.
            pause: waits so many seconds.
            now: says the time, UTC.
        """
        self.region = region
        self._client = client("dynamodb", region)
        self._pause = pause
        self._now = now

    def read(self, request_id: str, group_id: str) -> Known:
        """Return what is stored about a request and its group, read consistently in one call; never raises."""
        keys = [request_key(request_id), region_key(self.region), unread_key(self.region)]
        keys += [group_key(self.region, group_id)] if group_id else []
        try:
            items = {item["id"]: item for item in self._get_many(keys)}
        except (ClientError, BotoCoreError) as error:
            return Known(unread=error)
        damaged: list[str] = []

        def read(key: str, reader: Callable[[Item], _T]) -> _T | None:
            try:
                return reader(items[key]) if key in items else None
            except FieldError as error:
                damaged.append(str(error))
                return None

        return Known(
            entry=read(keys[0], entry_from_item),
            adoption=read(keys[1], adoption_from_item),
            unread_since=read(keys[2], unread_from_item) or (LONG_AGO if keys[2] in items else None),
            baseline=read(keys[3], baseline_from_item) if group_id else None,
            damaged=tuple(damaged),
        )

    # -- ledger --------------------------------------------------------------------------------------------------------

    def entry(self, request_id: str) -> LedgerEntry | None:
        """Return the ledger entry of a request, read consistently."""
        item = self._get(request_key(request_id))
        return None if item is None else entry_from_item(item)

    def entries(self, request_ids: Iterable[str]) -> dict[str, LedgerEntry]:
        """Return the ledger entries of these requests by id, read consistently; those that exist."""
        found = self._get_many([request_key(one) for one in dict.fromkeys(request_ids)])
        return {one.request.request_id: one for one in map(entry_from_item, found)}

    def add_entry(self, entry: LedgerEntry) -> LedgerEntry:
        """Write a new ledger entry; where one exists already, return that one and change nothing."""
        try:
            self._client.put_item(
                TableName=TABLE,
                Item=to_attributes(entry_to_item(entry) | _may_go(self._kept_until(entry))),
                ConditionExpression="attribute_not_exists(id)",
            )
        except ClientError as error:
            if not _is_condition(error):
                raise
            existing = self.entry(entry.request.request_id)
            if existing is not None:
                return existing
            raise
        return entry

    def move_entry(
        self, entry: LedgerEntry, outcome: Outcome, *, note: str = "", valid_until: datetime | None = None
    ) -> LedgerEntry | None:
        """Move a ledger entry to another outcome; return it, or ``None`` when somebody else moved it first.

        Args:
            entry: as it was read.
            outcome: where to; ``applying`` counts one more attempt.
            note: what to keep beside it, see :class:`LedgerEntry`.
            valid_until: of an intent, until when it will be applied; later moves keep it.
        """
        until = valid_until if outcome == "applying" else entry.valid_until
        attempts = entry.attempts + (1 if outcome == "applying" else 0)
        moved = replace(entry, outcome=outcome, attempts=attempts, note=note, valid_until=until)
        try:
            self._client.update_item(
                TableName=TABLE,
                Key=to_attributes({"id": request_key(entry.request.request_id)}),
                UpdateExpression="SET outcome = :to, attempts = :attempts, note = :note, validUntil = :until, "
                f"{EXPIRES_AT} = :expires",
                ConditionExpression="outcome = :from AND attempts = :seen AND digest = :digest",
                ExpressionAttributeValues={
                    ":to": to_attribute(outcome),
                    ":from": to_attribute(entry.outcome),
                    ":attempts": to_attribute(attempts),
                    ":seen": to_attribute(entry.attempts),
                    ":note": to_attribute(note),
                    ":until": to_attribute("" if until is None else time_to_text(until)),
                    ":expires": to_attribute(self._kept_until(moved) or ""),  # a text: DynamoDB ignores it
                    ":digest": to_attribute(entry.request.digest),
                },
            )
        except ClientError as error:
            if _is_condition(error):
                return None
            raise
        return moved

    def _kept_until(self, entry: LedgerEntry) -> int | None:
        """Return until when an entry is kept, ``None`` for ever: while it is applied, for a time, or in force."""
        is_timed = entry.outcome == "applied" and entry.valid_until is not None
        if is_timed or entry.outcome in ("applying", "unreverted"):
            return None
        policy = load_policies().for_account(entry.request.account)
        return entry_kept_until(policy, entry.request.event_time, self._now())

    # -- adoption ------------------------------------------------------------------------------------------------------

    def adoption(self) -> Adoption | None:
        """Return when this region was adopted, read consistently; ``None`` where it never was.

        Raises:
            FieldError: when the item cannot be understood.
        """
        item = self._get(region_key(self.region))
        return None if item is None else adoption_from_item(item)

    def save_adoption(self, adoption: Adoption) -> None:
        """Write the adoption of this region."""
        self._client.put_item(TableName=TABLE, Item=to_attributes(adoption_to_item(adoption)))

    def note_unread(self, since: datetime) -> None:
        """Note a call of which not even the group is known; the first one counts."""
        item = unread_to_item(self.region, since)
        try:
            self._client.put_item(
                TableName=TABLE,
                Item=to_attributes(item),
                ConditionExpression="attribute_not_exists(id) OR since > :since",
                ExpressionAttributeValues={":since": to_attribute(item["since"])},
            )
        except ClientError as error:
            if not _is_condition(error):
                raise

    # -- baselines -----------------------------------------------------------------------------------------------------

    def baseline(self, group_id: str) -> Baseline | None:
        """Return the baseline of a group, read consistently."""
        item = self._get(group_key(self.region, group_id))
        return None if item is None else baseline_from_item(item)

    def baselines(self, group_ids: Iterable[str]) -> dict[str, Baseline | FieldError]:
        """Return the baselines of many groups by group id; groups without one are left out.

        In the place of a baseline that cannot be read stands its error: it must not hide the others.
        """
        keys = {group_key(self.region, group_id): group_id for group_id in group_ids}
        return {keys[item["id"]]: _readable(item) for item in self._get_many(list(keys))}

    def save_new(self, baselines: Iterable[Baseline]) -> dict[str, Exception]:
        """Write the first baselines of groups, many in one call; a group that has one by now keeps that one.

        Returns:
            Why some could not be stored, by group id; :class:`RaceLostError` for those that have one by now.
        """
        failed: dict[str, Exception] = {}
        for fresh in _batches(baselines, _WRITTEN_AT_ONCE):
            try:
                condition = {"ConditionExpression": "attribute_not_exists(id)"}
                writes: Any = [{"Put": {**self._put(one), **condition}} for one in fresh]
                self._client.transact_write_items(TransactItems=writes)
            except (ClientError, ValueError):  # one of them is there already, or too large, or all together are
                for one in fresh:
                    try:
                        if self.save(one) is None:
                            failed[one.group_id] = RaceLostError(f"{one.group_id} has a baseline by now.")
                    except (ClientError, BotoCoreError, ValueError) as error:
                        failed[one.group_id] = error
        return failed

    def save(self, baseline: Baseline) -> Baseline | None:
        """Write a baseline that was read at ``baseline.version`` (0: there was none).

        Returns:
            The baseline with its new version, or ``None`` when somebody else wrote it in between.

        Raises:
            TooLargeError: when it does not fit an item.
        """
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if baseline.version:
            condition = {
                "ConditionExpression": "version = :seen",
                "ExpressionAttributeValues": {":seen": to_attribute(baseline.version)},
            }
        try:
            self._client.put_item(**self._put(baseline), **condition)
        except ClientError as error:
            if not _is_condition(error):
                raise
            return None
        return replace(baseline, version=baseline.version + 1)

    def update(
        self,
        group_id: str,
        change: Callable[[Baseline | None], Baseline | None],
        *,
        known: Baseline | Literal["unread"] | None = "unread",
    ) -> Baseline | None:
        """Read a baseline, change it and write it, again from the start when somebody else wrote in between.

        Args:
            group_id: ``sg-…``.
            change: gets the baseline or ``None``, returns the new one; returning its argument or ``None`` writes
                nothing.
            known: the baseline as it was read a moment ago, ``None`` where there was none, to save reading it again.

        Raises:
            RaceLostError: when others won for :data:`UPDATE_SECONDS`.
            TooLargeError: when the new one does not fit an item.
        """
        lost = RaceLostError(f"The baseline of {group_id} was changed by others for {UPDATE_SECONDS:.0f} seconds.")
        before: Baseline | Literal["unread"] | None = known
        has_met_others = False

        def write() -> Baseline | None:
            nonlocal before, has_met_others
            # After a pause it is read again: what was read before it has been overwritten by then.
            stored = self.baseline(group_id) if before == "unread" else before
            before, has_met_others = "unread", True
            after = change(stored)
            if after is None or after == stored:
                return stored
            saved = self.save(after)
            if saved is None:
                raise lost
            return saved

        def write_in_turn() -> Baseline | None:
            if not has_met_others:
                return write()
            try:
                with turn(self._client.put_item, TABLE, turn_key(self.region, group_id), self._now()):
                    return write()
            except TurnTakenError as error:
                raise lost from error

        waited = [0.0]

        def wait(seconds: float) -> None:
            waited.append(seconds)
            self._pause(seconds)

        return retry_on_conflict(
            write_in_turn,
            until=UPDATE_SECONDS,
            conflict=RaceLostError,
            is_conflict=lambda _: True,
            longest_pause=LONGEST_PAUSE_SECONDS,
            clock=lambda: sum(waited),
            sleep=wait,
        )

    def forget(self, group_id: str) -> None:
        """Delete the baseline of a group that is gone."""
        self._client.delete_item(TableName=TABLE, Key=to_attributes({"id": group_key(self.region, group_id)}))

    def forget_unless_timed(self, group_id: str) -> bool:
        """Delete the baseline of a group that is gone; False when approvals for a time have to be ended before."""
        try:
            self._client.delete_item(
                TableName=TABLE,
                Key=to_attributes({"id": group_key(self.region, group_id)}),
                ConditionExpression="attribute_not_exists(endsAt)",
            )
        except ClientError as error:
            if not _is_condition(error):
                raise
            return False
        return True

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _get(self, key: str) -> Item | None:
        answer = self._client.get_item(TableName=TABLE, Key=to_attributes({"id": key}), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else from_attributes(item)

    def _put(self, baseline: Baseline) -> _Put:
        item = baseline_to_item(replace(baseline, version=baseline.version + 1))
        return {"TableName": TABLE, "Item": to_attributes(item)}

    def _get_many(self, keys: Sequence[str]) -> Iterator[Item]:
        for some in _batches(keys, _BATCH):
            wanted: Any = {TABLE: {"Keys": [to_attributes({"id": key}) for key in some], "ConsistentRead": True}}
            tries = 0
            while wanted:
                answer = self._client.batch_get_item(RequestItems=wanted)
                found = answer["Responses"].get(TABLE, [])
                yield from (from_attributes(item) for item in found)
                wanted = answer.get("UnprocessedKeys")
                if wanted and not found:  # not 16 MB, but throttled: asking again at once would make it worse
                    tries += 1
                    if tries == _READ_TRIES:
                        raise RaceLostError(f"{TABLE} answered nothing {_READ_TRIES} times in a row.")
                    self._pause(random.uniform(0, FIRST_PAUSE_SECONDS * 2**tries))  # noqa: S311 - not a secret


def _readable(item: Item) -> Baseline | FieldError:
    try:
        return baseline_from_item(item)
    except FieldError as error:
        return error


def _batches(things: Iterable[_T], size: int) -> Iterator[list[_T]]:
    waiting = iter(things)
    while some := list(islice(waiting, size)):
        yield some


def _may_go(until: int | None) -> Item:
    return {} if until is None else {EXPIRES_AT: until}


def _is_condition(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
