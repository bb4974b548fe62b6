"""Faults and time: fault switches, schedules, dead letters, repeated deliveries."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, get_args

from sandbox.aging import let_time_pass
from sandbox.errors import SandboxError
from sandbox.faults import SlackFault
from sandbox.system import Sandbox
from sandbox.web.body import Body

SCHEDULES = ("snapshotSecurityGroups", "sweepRequests")
#: Functions that can be killed in the middle of a run.
KILLABLE_FUNCTIONS = (
    "revertSecurityGroup",
    "securityGroupChange",
    "buttonClick",
    "applySecurityGroupChange",
    "denySecurityGroupChange",
    "errorHandlerSecurityGroupChange",
)
LONGEST_DELAY_SECONDS = 30
MOST_COPIES = 3
MOST_EVENTS_LOST = 10
MOST_CALLS = 20
MOST_RUNS = 3
MOST_HOURS = 24 * 365

Json = dict[str, Any]


def _whole(least: int, most: int) -> Callable[[Body, str], int]:
    return lambda body, name: int(body.number(name, least=least, most=most))


def _delay(body: Body, name: str) -> float:
    return body.number(name, least=0, most=LONGEST_DELAY_SECONDS)


#: The page's switches: the attribute of the faults behind each, and how its value is read.
SWITCHES: Mapping[str, tuple[str, Callable[[Body, str], Any]]] = {
    "slack": ("slack", lambda body, name: body.choice(name, get_args(SlackFault))),
    "slackOneMessagePerSecond": ("slack_one_message_per_second", Body.flag),
    "snsCopies": ("sns_copies", _whole(1, MOST_COPIES)),
    "snsDelaySeconds": ("sns_delay_seconds", _delay),
    "eventCopies": ("event_copies", _whole(1, MOST_COPIES)),
    "eventDelaySeconds": ("event_delay_seconds", _delay),
    "eventsToLose": ("events_to_lose", _whole(0, MOST_EVENTS_LOST)),
    "killRuns": ("kill_runs", _whole(1, MOST_RUNS)),
    "killAfterCalls": ("kill_after_calls", _whole(1, MOST_CALLS)),
    "killFunction": ("kill_function", lambda body, name: body.choice(name, ("", *KILLABLE_FUNCTIONS))),
}


class Controls:
    """The switches of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Control a sandbox."""
        self._sandbox = sandbox

    def view(self) -> Json:
        """Return the state of all switches."""
        faults = self._sandbox.faults
        return {
            **{name: getattr(faults, attribute) for name, (attribute, _) in SWITCHES.items()},
            "deadLetters": [
                {"function": letter.function.name, "account": letter.function.account, "error": letter.error}
                for letter in self._sandbox.dead_letters
            ],
        }

    def switch(self, body: Body) -> Json:
        """Set the switches that are named, all or, when one value makes no sense, none; the other ones stay."""
        wanted = {attribute: read(body, name) for name, (attribute, read) in SWITCHES.items() if name in body}
        for attribute, value in wanted.items():
            setattr(self._sandbox.faults, attribute, value)
        return self.view()

    def repair(self, _body: Body) -> Json:
        """Make everything work again."""
        self._sandbox.faults.clear()
        return self.view()

    def run(self, body: Body) -> Json:
        """Run a scheduled function now, in every account and region."""
        name = body.choice("name", SCHEDULES)
        try:
            return {"runs": len(self._sandbox.run_schedule(name))}
        except SandboxError as error:
            return {"runs": 0, "error": str(error)}

    def pass_time(self, body: Body) -> Json:
        """Let hours pass for everything that is stored, then snapshot and sweep, as the clock would have done."""
        hours = body.number("hours", least=0, most=MOST_HOURS)
        moved = let_time_pass(self._sandbox, timedelta(hours=hours))
        ran = [self.run(Body({"name": name})) for name in SCHEDULES]
        return {"moved": moved, **next((one for one in ran if "error" in one), ran[-1])}

    def redrive(self, _body: Body) -> Json:
        """Hand all dead letters to their functions again."""
        return {"redriven": self._sandbox.redrive()}

    def deliver_again(self, _body: Body) -> Json:
        """Let EventBridge deliver again the newest event that the product did not cause."""
        for event in reversed(self._sandbox.events):
            identity = event["detail"]["userIdentity"]
            if "/member-" not in str(identity.get("arn", "")) and not event["detail"].get("errorCode"):
                self._sandbox.deliver_again(event)
                return {"event": event["detail"]["eventName"], "requestId": event["detail"]["requestID"]}
        raise SandboxError("CloudTrail has sent no event yet.")
