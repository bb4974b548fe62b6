"""What goes wrong and what time it is: fault switches, schedules, dead letters, deliveries that come again."""

from datetime import timedelta
from typing import Any, get_args

from sandbox.aging import let_time_pass
from sandbox.errors import SandboxError
from sandbox.faults import SlackFault
from sandbox.system import Sandbox
from sandbox.web.body import Body

SCHEDULES = ("snapshotSecurityGroups", "sweepRequests")
#: Functions that one may want to see die half-way.
MORTAL_FUNCTIONS = (
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


class Controls:
    """The switches of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Control a sandbox."""
        self._sandbox = sandbox

    def view(self) -> Json:
        """Return how all switches stand."""
        faults = self._sandbox.faults
        return {
            "slack": faults.slack,
            "slackOneMessagePerSecond": faults.slack_one_message_per_second,
            "snsCopies": faults.sns_copies,
            "snsDelaySeconds": faults.sns_delay_seconds,
            "eventCopies": faults.event_copies,
            "eventDelaySeconds": faults.event_delay_seconds,
            "eventsToLose": faults.events_to_lose,
            "killFunction": faults.kill_function,
            "killRuns": faults.kill_runs,
            "killAfterCalls": faults.kill_after_calls,
            "deadLetters": [
                {"function": letter.function.name, "account": letter.function.account, "error": letter.error}
                for letter in self._sandbox.dead_letters
            ],
        }

    def switch(self, body: Body) -> Json:
        """Set all switches."""
        faults = self._sandbox.faults
        slack = body.choice("slack", get_args(SlackFault))
        kill = body.choice("killFunction", ("", *MORTAL_FUNCTIONS))
        copies = [int(body.number(name, least=1, most=MOST_COPIES)) for name in ("snsCopies", "eventCopies")]
        delays = [
            body.number(name, least=0, most=LONGEST_DELAY_SECONDS) for name in ("snsDelaySeconds", "eventDelaySeconds")
        ]
        lost = int(body.number("eventsToLose", least=0, most=MOST_EVENTS_LOST))
        calls = int(body.number("killAfterCalls", least=1, most=MOST_CALLS))
        runs = int(body.number("killRuns", least=1, most=MOST_RUNS))
        one_per_second = body.flag("slackOneMessagePerSecond")
        faults.slack = slack  # type: ignore[assignment]  # one of the literal's values, as just checked
        faults.slack_one_message_per_second = one_per_second
        faults.sns_copies, faults.event_copies = copies
        faults.sns_delay_seconds, faults.event_delay_seconds = delays
        faults.events_to_lose = lost
        faults.kill_runs, faults.kill_after_calls, faults.kill_function = runs, calls, kill
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
        """Let hours pass for everything that is stored, then sweep, as the clock would have done."""
        hours = body.number("hours", least=0, most=MOST_HOURS)
        moved = let_time_pass(self._sandbox, timedelta(hours=hours))
        return {"moved": moved, **self.run(Body({"name": "sweepRequests"}))}

    def redrive(self, _body: Body) -> Json:
        """Hand all dead letters to their functions again."""
        return {"redriven": self._sandbox.redrive()}

    def deliver_again(self, _body: Body) -> Json:
        """Let EventBridge deliver once more the newest event that somebody else than the product caused."""
        for event in reversed(self._sandbox.events):
            identity = event["detail"]["userIdentity"]
            if "/member-" not in str(identity.get("arn", "")) and not event["detail"].get("errorCode"):
                self._sandbox.deliver_again(event)
                return {"event": event["detail"]["eventName"], "requestId": event["detail"]["requestID"]}
        raise SandboxError("CloudTrail has sent no event yet.")
