"""The member account's table ``securityGroupState``: baselines and ledger, every write conditional.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, TypedDict, TypeVar

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attribute, to_attributes
from shared.aws.clients import client
from shared.wire.fields import FieldError

from .baseline import Baseline
from .items import (
    LedgerEntry,
    Outcome,
    baseline_from_item,
    baseline_to_item,
    entry_from_item,
    entry_to_item,
    group_key,
    request_key,
)

TABLE: Final = "securityGroupState"
_BATCH: Final = 100  # keys per BatchGetItem
_LEARNED_AT_ONCE: Final = 100  # items a transaction may have; where they exceed its 4 MB they are written one by one
_LONGEST_PAUSE_SECONDS: Final = 2.0
_TRIES: Final = 8
"""Lost races before an update of a baseline gives up and lets its trigger be delivered again."""

_T = TypeVar("_T")


class _Put(TypedDict):
    TableName: str
    Item: dict[str, Any]


class RaceLostError(RuntimeError):
    """Others kept writing the same baseline; the trigger is delivered again and finds a quieter moment."""


class StateTable:
    """The table of one region of a member account."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._client = client("dynamodb", region)

    # -- ledger --------------------------------------------------------------------------------------------------------

    def entry(self, request_id: str) -> LedgerEntry | None:
        """Return the ledger entry of a request, read consistently."""
        item = self._get(request_key(request_id))
        return None if item is None else entry_from_item(item)

    def add_entry(self, entry: LedgerEntry) -> LedgerEntry:
        """Write a new ledger entry; where one exists already, return that one and change nothing."""
        try:
            self._client.put_item(
                TableName=TABLE,
                Item=to_attributes(entry_to_item(entry)),
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

    def move_entry(self, entry: LedgerEntry, outcome: Outcome, *, note: str = "") -> LedgerEntry | None:
        """Move a ledger entry to another outcome; return it, or ``None`` when somebody else moved it first.

        Args:
            entry: as it was read.
            outcome: where to; ``applying`` counts one more attempt.
            note: an error code to keep beside an ``error``.
        """
        attempts = entry.attempts + (1 if outcome == "applying" else 0)
        try:
            self._client.update_item(
                TableName=TABLE,
                Key=to_attributes({"id": request_key(entry.request.request_id)}),
                UpdateExpression="SET outcome = :to, attempts = :attempts, note = :note",
                ConditionExpression="outcome = :from AND attempts = :seen AND digest = :digest",
                ExpressionAttributeValues={
                    ":to": to_attribute(outcome),
                    ":from": to_attribute(entry.outcome),
                    ":attempts": to_attribute(attempts),
                    ":seen": to_attribute(entry.attempts),
                    ":note": to_attribute(note),
                    ":digest": to_attribute(entry.request.digest),
                },
            )
        except ClientError as error:
            if _is_condition(error):
                return None
            raise
        return replace(entry, outcome=outcome, attempts=attempts)

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

    def learn(self, baselines: Iterable[Baseline]) -> None:
        """Write the first baselines of groups, many in one call; a group that has one by now keeps that one."""
        for fresh in _batches(baselines, _LEARNED_AT_ONCE):
            condition = {"ConditionExpression": "attribute_not_exists(id)"}
            first: Any = [{"Put": {**self._put(one), **condition}} for one in fresh]
            try:
                self._client.transact_write_items(TransactItems=first)
            except ClientError as error:
                # One of them is there already, or all together are too large.
                if error.response["Error"]["Code"] not in ("TransactionCanceledException", "ValidationException"):
                    raise
                for one in fresh:
                    self.save(one)

    def save(self, baseline: Baseline) -> Baseline | None:
        """Write a baseline that was read at ``baseline.version`` (0: there was none).

        Returns:
            The baseline with its new version, or ``None`` when somebody else wrote it in between.
        """
        saved = replace(baseline, version=baseline.version + 1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if baseline.version:
            condition = {
                "ConditionExpression": "version = :seen",
                "ExpressionAttributeValues": {":seen": to_attribute(baseline.version)},
            }
        try:
            self._client.put_item(**self._put(baseline), **condition)
        except ClientError as error:
            if _is_condition(error):
                return None
            raise
        return saved

    def update(
        self,
        group_id: str,
        change: Callable[[Baseline | None], Baseline | None],
        *,
        known: Baseline | None = None,
    ) -> Baseline | None:
        """Read a baseline, change it and write it, again from the start when somebody else wrote in between.

        Args:
            group_id: ``sg-…``.
            change: gets the baseline or ``None``, returns the new one; returning its argument or ``None`` writes
                nothing.
            known: the baseline as it was read a moment ago, to save reading it again.

        Raises:
            RaceLostError: when others won eight times in a row.
        """
        for attempt in range(_TRIES):
            before = known if known is not None and attempt == 0 else self.baseline(group_id)
            after = change(before)
            if after is None or (before is not None and after.is_same_as(before)):
                return before
            saved = self.save(after)
            if saved is not None:
                return saved
        raise RaceLostError(f"The baseline of {group_id} was changed by others {_TRIES} times in a row.")

    def forget(self, group_id: str) -> None:
        """Delete the baseline of a group that is gone."""
        self._client.delete_item(TableName=TABLE, Key=to_attributes({"id": group_key(self.region, group_id)}))

    # -- reading -------------------------------------------------------------------------------------------------------

    def _get(self, key: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=TABLE, Key=to_attributes({"id": key}), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else from_attributes(item)

    def _put(self, baseline: Baseline) -> _Put:
        item = baseline_to_item(replace(baseline, version=baseline.version + 1))
        return {"TableName": TABLE, "Item": to_attributes(item)}

    def _get_many(self, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
        for some in _batches(keys, _BATCH):
            wanted: Any = {TABLE: {"Keys": [to_attributes({"id": key}) for key in some], "ConsistentRead": True}}
            pause = 0.05
            while wanted:
                answer = self._client.batch_get_item(RequestItems=wanted)
                found = answer["Responses"].get(TABLE, [])
                yield from (from_attributes(item) for item in found)
                wanted = answer.get("UnprocessedKeys")
                if wanted and not found:  # not 16 MB, but throttled: asking again at once would make it worse
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _readable(item: dict[str, Any]) -> Baseline | FieldError:
    try:
        return baseline_from_item(item)
    except FieldError as error:
        return error


def _batches(things: Iterable[_T], size: int) -> Iterator[list[_T]]:
    waiting = iter(things)
    while some := list(islice(waiting, size)):
        yield some


def _is_condition(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
