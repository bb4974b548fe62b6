"""Both accounts, both apps and Slack in one process, with AWS's way of delivering: at least once, retried, then dead.

Functions run one after the other through Chalice's own handlers, each delivery in what is to them a fresh container.
What a function's calls cause (CloudTrail's events, the product's own included, and SNS messages) is queued and handed
on in the order of time. Nothing here knows what the product should do.
"""

from __future__ import annotations

import heapq
import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from unittest import mock

from sandbox.aws import cloudtrail, sns
from sandbox.aws.calls import ApiCall
from sandbox.aws.events import scheduled_event
from sandbox.aws.request import ApiRequest
from sandbox.lambda_context import LambdaContext
from tests.fault.accounts import CENTRAL, MEMBER, POLICY, REGION, Accounts
from tests.fault.clicking import button_value, click_event
from tests.fault.faults import Aim, Exchange, KilledError, Kind
from tests.fault.network import tapped
from tests.fault.pressing import Button, buttons_of
from tests.support.slack_stand_in import APPROVAL, MONITORING, Post

TIMEOUT_SECONDS: Mapping[str, float] = {
    "revertSecurityGroup": 300,
    "applySecurityGroupChange": 300,
    "snapshotSecurityGroups": 900,
    "sweepRequests": 300,
    "buttonClick": 15,
}
"""As in ``.chalice/*/config.json``; 60 for the others."""

_MEMBER_FUNCTIONS = frozenset({"revertSecurityGroup", "applySecurityGroupChange", "snapshotSecurityGroups"})
_EXCHANGE_SECONDS = 0.015
_EVENT_DELAY = timedelta(seconds=5)
_MESSAGE_DELAY = timedelta(seconds=0.1)
_RETRY_DELAYS = (timedelta(minutes=1), timedelta(minutes=2))
"""https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""


@dataclass
class Delivery:
    """An event on its way to a function.

    Attributes:
        function: which one.
        event: what Lambda hands to it.
        invocation: AWS's id; Lambda's own retries keep it.
        tries: how often it has failed.
        error: why it failed the last time.
    """

    function: str
    event: dict[str, Any]
    invocation: str = field(default_factory=lambda: str(uuid.uuid4()))
    tries: int = 0
    error: str = ""


class World:
    """One run; open it with :func:`worlds`."""

    def __init__(self, accounts: Accounts, aim: Aim | None = None) -> None:
        self.accounts = accounts
        self.aim = aim or Aim()
        self.clock = accounts.clock
        self.events: list[dict[str, Any]] = []
        """Every event that CloudTrail made, lost ones included."""
        self.dead: list[Delivery] = []
        self.passes: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda event: event
        """What becomes of an event on its way: itself, another form of it, or nothing at all."""
        self.settings: dict[str, str] = {}
        """Environment variables of the apps that differ from the usual ones."""
        self.copies = 1
        """How often each event and message is delivered."""
        self.is_backwards = False
        """What was queued last is delivered first."""
        self.delivered: list[Delivery] = []
        """What was handed to functions so far."""
        self._queue: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count(1)
        self._running: Delivery | None = None
        self._deliveries = 0
        self._ends = 0.0

    # -- what the network says -----------------------------------------------------------------------------------------

    def strikes(self, service: str, action: str, subject: str, call: str) -> Kind | None:
        """Say what goes wrong with an exchange; a function that is out of time ends here."""
        self.clock.sleep(_EXCHANGE_SECONDS)
        if self._running is None:
            return None
        if self.clock.monotonic() > self._ends:
            raise KilledError("timed out")
        exchange = Exchange(
            function=self._running.function,
            delivery=self._deliveries,
            call=f"{self._deliveries}/{call}",
            service=service,
            action=action,
            subject=subject,
        )
        return self.aim.judge(exchange)

    def answered(self, request: ApiRequest, status: int, body: bytes) -> None:
        """Queue what follows from a call that AWS carried out."""
        caller = self.accounts.identities.caller(request.access_key_id)
        if caller is None:
            return
        call = ApiCall(request=request, caller=caller, at=self.clock.now, duration_ms=1.0, status=status, body=body)
        if cloudtrail.is_recorded(call):
            self.events.append(cloudtrail.event_of(call))
            event = self.passes(self.events[-1])
            if event is not None:
                self.deliver("revertSecurityGroup", event, after=_EVENT_DELAY)
        topic = sns.published_topic(request)
        if topic and not call.error_code:
            message = sns.lambda_event(call, str(uuid.uuid4()))
            self.deliver(topic.rpartition(":")[2], message, after=_MESSAGE_DELAY)

    # -- delivering ----------------------------------------------------------------------------------------------------

    def deliver(self, function: str, event: Mapping[str, Any], *, after: timedelta = timedelta(0)) -> None:
        """Queue an event for a function."""
        for _ in range(self.copies):
            self._push(Delivery(function, dict(event)), after)

    def _push(self, delivery: Delivery, after: timedelta) -> None:
        due = self.clock.passed + after.total_seconds()
        heapq.heappush(self._queue, (due, next(self._numbers), delivery))

    @property
    def waiting(self) -> list[Delivery]:
        """What is queued, in the order of time."""
        return [delivery for _, _, delivery in sorted(self._queue, key=lambda entry: entry[:2])]

    def drain(self) -> None:
        """Deliver everything, and what comes of it, until nothing is queued."""
        while self._queue:
            self.deliver_next(len(self._queue) - 1 if self.is_backwards else 0)

    def deliver_next(self, position: int = 0, *, again: bool = False) -> None:
        """Deliver what is due next, or what stands at a position of the queue.

        Args:
            position: 0 is the next in time.
            again: leave it in the queue, so that it is delivered twice.
        """
        entry = sorted(self._queue, key=lambda one: one[:2])[position]
        if not again:
            self._queue.remove(entry)
            heapq.heapify(self._queue)
        self.clock.passed = max(self.clock.passed, entry[0])
        delivery = entry[2]
        self.delivered.append(delivery)
        error = self._run(delivery)
        if not error or again:
            return
        delivery.tries, delivery.error = delivery.tries + 1, error
        if delivery.tries > len(_RETRY_DELAYS):
            self.dead.append(delivery)
        else:
            self._push(delivery, _RETRY_DELAYS[delivery.tries - 1])

    def hold(self, function: str) -> list[Delivery]:
        """Take what is queued for a function out of the queue; lost, unless somebody delivers it later."""
        held = [entry for entry in self._queue if entry[2].function == function]
        self._queue = [entry for entry in self._queue if entry not in held]
        heapq.heapify(self._queue)
        return [delivery for _, _, delivery in held]

    def redrive(self) -> int:
        """Queue all dead letters anew; returns how many there were."""
        letters, self.dead = self.dead, []
        for letter in letters:
            self.deliver(letter.function, letter.event)
        return len(letters)

    def wait(self, **time: float) -> None:
        """Let time pass, e.g. ``minutes=6``."""
        self.clock.sleep(timedelta(**time).total_seconds())

    def queue_schedule(self, function: str) -> None:
        """Let a schedule fire; what it runs waits its turn."""
        account = MEMBER if function in _MEMBER_FUNCTIONS else CENTRAL
        self.deliver(function, scheduled_event(account=account, region=REGION, rule=function, at=self.clock.now))

    def run_schedule(self, function: str) -> None:
        """Let a schedule fire, and deliver everything."""
        self.queue_schedule(function)
        self.drain()

    def _run(self, delivery: Delivery) -> str:
        """Run a function once; return its error, empty when there was none."""
        app = self.accounts.member_app if delivery.function in _MEMBER_FUNCTIONS else self.accounts.central_app
        with self._container(delivery) as context:
            try:
                app.handler_map[delivery.function](delivery.event, context)
            except (Exception, KilledError) as error:  # noqa: BLE001 - Lambda too takes everything for a failure
                return f"{type(error).__name__}: {error}"
        return ""

    @contextmanager
    def _container(self, delivery: Delivery) -> Iterator[LambdaContext]:
        from member.chalicelib import context

        function = delivery.function
        account = MEMBER if function in _MEMBER_FUNCTIONS else CENTRAL
        app = "member" if account == MEMBER else "central"
        self._running, self._deliveries = delivery, self._deliveries + 1
        timeout_seconds = TIMEOUT_SECONDS.get(function, 60)
        self._ends = self.clock.monotonic() + timeout_seconds
        context._own_session_arn.cache_clear()
        arn = f"arn:aws:lambda:{REGION}:{account}:function:{app}-dev-{function}"
        lambda_context = LambdaContext(
            request_id=delivery.invocation, arn=arn, timeout_seconds=timeout_seconds, clock=self.clock.monotonic
        )
        try:
            with mock.patch.dict(os.environ, self.accounts.environment(app, function) | self.settings):
                yield lambda_context
        finally:
            self._running = None

    # -- people in Slack -----------------------------------------------------------------------------------------------

    def questions(self, request_id: str) -> list[dict[str, Any]]:
        """Return the button values of the questions about a request, one per message with buttons."""
        values = [button_value(post) for post in self.approval]
        return [value for value in values if value.get("requestId") == request_id]

    def click(self, request_id: str, action: str, *, by: str = "U061F7AUR", tries: int = 5) -> int:
        """Click the newest question's button; click again when Slack shows that it went wrong, as people do.

        Returns:
            The last HTTP status.
        """
        status = 0
        for _ in range(tries):
            status = self._click_once(self.questions(request_id)[-1], action, by)
            if status == 200:
                break
            self.wait(seconds=20)
        return status

    def buttons(self, request_id: str) -> list[Button]:
        """Return the buttons of the newest message that has some about a request or a batch."""
        for post in reversed(self.approval):
            found = [one for one in buttons_of(post) if one.value.get("requestId") == request_id]
            if found:
                return found
        return []

    def buttons_of(self, post: Post) -> list[Button]:
        """Return the buttons of a message."""
        return list(buttons_of(post))

    def labels(self, request_id: str) -> list[str]:
        """Return what stands on the buttons about a request or a batch."""
        return [button.label for button in self.buttons(request_id)]

    def press(self, request_id: str, label: str, *, by: str) -> int:
        """Press the button with this label; return the HTTP status."""
        (button,) = [one for one in self.buttons(request_id) if one.label == label]
        return self.press_button(button, by=by)

    def press_button(self, button: Button, *, by: str) -> int:
        """Press a button, whatever it carries; return the HTTP status."""
        return self._click_once(button.value, button.action_id, by)

    def events_named(self, name: str) -> list[dict[str, Any]]:
        """Return the events of calls of that name, oldest first."""
        return [event for event in self.events if event["detail"]["eventName"] == name]

    def _click_once(self, value: Mapping[str, Any], action: str, by: str) -> int:
        self.wait(seconds=2)
        number = next(self._numbers)
        address = self.accounts.slack.url(f"/actions/T0001/{number}/response-url-secret")
        event = click_event(value, action, by=by, at=self.clock.now, response_url=address, number=number)
        with self._container(Delivery("buttonClick", event)) as context:
            try:
                status: int = self.accounts.central_app(event, context)["statusCode"]
            except (Exception, KilledError):  # noqa: BLE001 - API Gateway answers for a function that failed
                return 502
        return status

    @property
    def approval(self) -> list[Post]:
        """What the approval channel's webhook accepted."""
        return self.accounts.slack.to(APPROVAL)

    @property
    def monitoring(self) -> list[Post]:
        """What the monitoring channel's webhook accepted, but for the notice that the region was adopted."""
        return [post for post in self.accounts.slack.to(MONITORING) if "Region adopted" not in post.text]

    @property
    def responses(self) -> list[Post]:
        """What was posted to clicked messages, ephemeral messages included."""
        return [post for post in self.accounts.slack.posts if post.path.startswith("/actions/")]


class Begin(Protocol):
    """Begins a new run."""

    def __call__(self, aim: Aim | None = None, *, policy: str = POLICY) -> World:
        """Return the new world: accounts as new, nothing queued, Slack empty, the policy in force."""


@contextmanager
def worlds() -> Iterator[Begin]:
    """Yield a function that begins a new run; one at a time."""
    with ExitStack() as stack:
        accounts = stack.enter_context(Accounts.opened())
        current: list[World] = []

        class Switch:
            def strikes(self, service: str, action: str, subject: str, call: str) -> Kind | None:
                return current[-1].strikes(service, action, subject, call) if current else None

            def answered(self, request: ApiRequest, status: int, body: bytes) -> None:
                if current:
                    current[-1].answered(request, status, body)

        stack.enter_context(tapped(Switch()))

        def begin(aim: Aim | None = None, *, policy: str = POLICY) -> World:
            current.clear()
            accounts.reset(policy)
            current.append(World(accounts, aim))
            return current[-1]

        yield begin
