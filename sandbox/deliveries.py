"""What follows from an AWS call: CloudTrail event, SNS message, a step of the timeline, the end of a killed function.

Observes the endpoint, and obeys the fault switches that concern deliveries.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from sandbox.aws import cloudtrail, sns
from sandbox.aws.calls import ApiCall, summary
from sandbox.aws.resources import is_of_request
from sandbox.environments import Environment
from sandbox.faults import Faults
from sandbox.invocations import Invoker
from sandbox.timeline import (
    ApiCalled,
    CloudTrailSent,
    FaultStruck,
    ItemWritten,
    MessagePublished,
    Timeline,
)
from sandbox.wiring import Wiring
from shared.wire.messages import (
    AdoptedMessage,
    ApplyBatchMessage,
    HeartbeatMessage,
    MessageError,
    RequestMessage,
    read_message,
)

#: The sandbox's own role: it reads tables and groups, and its calls are not shown on the timeline.
OPERATOR_ROLE = "sandbox-operator"

EVENTS_KEPT = 1_000

_MESSAGE_ID = re.compile(rb"<MessageId>(.*?)</MessageId>")
_ITEM_WRITES = ("PutItem", "UpdateItem", "DeleteItem")


class Deliveries:
    """An observer of the endpoint."""

    def __init__(
        self,
        *,
        wiring: Wiring,
        invoker: Invoker,
        timeline: Timeline,
        faults: Faults,
        environment_of: Callable[[str], Environment | None],
    ) -> None:
        """Deliver what calls cause.

        Args:
            wiring: knows who listens.
            invoker: runs the functions.
            timeline: records everything.
            faults: the switches.
            environment_of: finds the process that has an access key.
        """
        self._wiring = wiring
        self._invoker = invoker
        self._timeline = timeline
        self._faults = faults
        self._environment_of = environment_of
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        """The newest events that CloudTrail made, lost ones included."""

    def on_call(self, call: ApiCall) -> None:
        """Do everything that follows from a call."""
        if call.caller.name == OPERATOR_ROLE:
            return
        environment = self._environment_of(call.request.access_key_id)
        function = environment.function if environment else ""
        about = self._about(call, environment)
        self._timeline.add(_api_called(call, function, about), at=call.at.timestamp())
        if cloudtrail.is_recorded(call):
            self._send_event(call, about)
        if not call.error_code:
            if sns.published_topic(call.request):
                self._deliver_message(call, about)
            self._note_items(call, about)
        if environment and self._faults.kills(function):
            detail = f"{function} after {call.request.action}"
            self._timeline.add(FaultStruck(fault="function killed", detail=detail, about=about))
            environment.kill()

    def deliver_again(self, event: dict[str, Any]) -> None:
        """Hand an event of CloudTrail to its listeners again, as at-least-once delivery may do."""
        about = event["detail"]["requestID"]
        self._timeline.add(FaultStruck(fault="event delivered again", detail=event["detail"]["eventName"], about=about))
        for function in self._wiring.listeners(event):
            self._invoker.invoke_later(function, event, trigger="event", about=about)

    def _about(self, call: ApiCall, environment: Environment | None) -> str:
        """Find the change that a call belongs to: what its function runs for, what it names, or the call itself."""
        known = self._invoker.about(environment.invocation_id) if environment else ""
        if known or environment:
            return known or _named_by(call)
        return call.request_id if cloudtrail.is_recorded(call) else ""

    def _send_event(self, call: ApiCall, about: str) -> None:
        event = cloudtrail.event_of(call)
        self.events.append(event)
        listeners = self._wiring.listeners(event)
        lost = self._faults.loses_event()
        sent = CloudTrailSent(
            request_id=call.request_id,
            action=call.request.action,
            account=event["account"],
            region=event["region"],
            fate="lost" if lost else "delivered" if listeners else "matched nothing",
            about=about,
        )
        self._timeline.add(sent)
        if lost:
            self._timeline.add(FaultStruck(fault="event lost", detail=call.request.action, about=about))
            return
        for _ in range(self._faults.event_copies):
            for function in listeners:
                self._invoker.invoke_later(
                    function, event, trigger="event", about=about, delay_seconds=self._faults.event_delay_seconds
                )

    def _deliver_message(self, call: ApiCall, about: str) -> None:
        topic = sns.published_topic(call.request)
        found = _MESSAGE_ID.search(call.body)
        message_id = found[1].decode() if found else ""
        event = sns.lambda_event(call, message_id)
        subscribers = self._wiring.subscribers(topic) * self._faults.sns_copies
        self._timeline.add(
            MessagePublished(
                topic=topic,
                size_bytes=len(call.request.parameters.get("Message", "").encode()),
                deliveries=len(subscribers),
                about=about,
            )
        )
        for function in subscribers:
            self._invoker.invoke_later(
                function, event, trigger="topic", about=about, delay_seconds=self._faults.sns_delay_seconds
            )

    def _note_items(self, call: ApiCall, about: str) -> None:
        if call.request.service != "dynamodb":
            return
        document = call.request.document
        writes: list[Mapping[str, Any]] = [document] if call.request.action in _ITEM_WRITES else []
        for item in document.get("TransactItems", ()):
            writes += [item[kind] for kind in ("Put", "Update", "Delete") if kind in item]
        for write in writes:
            self._note_item(call, write, about)

    def _note_item(self, call: ApiCall, write: Mapping[str, Any], about: str) -> None:
        backend = dynamodb_backends[call.caller.account][call.request.region]
        table = backend.get_table(write["TableName"])
        source = write.get("Key") or write.get("Item") or {}
        key = {name: source[name] for name in table.table_key_attrs if name in source}
        item = backend.get_item(write["TableName"], key)
        status = "deleted"
        if item is not None:
            status = str(item.to_json()["Attributes"].get("status", {}).get("S", ""))
        self._timeline.add(
            ItemWritten(
                table=write["TableName"],
                account=call.caller.account,
                region=call.request.region,
                key=" ".join(str(next(iter(value.values()))) for value in key.values()),
                status=status,
                about=about,
            )
        )


def _named_by(call: ApiCall) -> str:
    """Return the request id that a call itself names: in the key of central's item, or in the published message."""
    if call.request.service == "dynamodb":
        key = call.request.document.get("Key") or call.request.document.get("Item") or {}
        request_id = str(key.get("requestId", {}).get("S", ""))
        return request_id if is_of_request(request_id) else ""
    if not sns.published_topic(call.request):
        return ""
    try:
        message = read_message(call.request.parameters.get("Message", ""))
    except MessageError:
        return ""
    if isinstance(message, AdoptedMessage | HeartbeatMessage):
        return ""
    if isinstance(message, ApplyBatchMessage):
        return message.batch_id
    return message.request.request_id if isinstance(message, RequestMessage) else message.request_id


def _api_called(call: ApiCall, function: str, about: str) -> ApiCalled:
    return ApiCalled(
        service=call.request.service,
        action=call.request.action,
        account=call.caller.account,
        region=call.request.region,
        caller=call.caller.arn,
        function=function,
        summary=summary(call.request),
        duration_ms=call.duration_ms,
        request_id=call.request_id,
        error=call.error_code,
        about=about,
    )
