"""The central app: what triggers it, and nothing else."""

from typing import TYPE_CHECKING

from chalice.app import Chalice, CloudWatchEvent, Rate, Response, SNSEvent

from shared.telemetry import instrument

if TYPE_CHECKING or "." in __name__:  # imported from the repository's root as `central.app`
    from .chalicelib import triggers, warm_up
else:  # Lambda and `chalice local` import this file as the top-level module `app`
    from chalicelib import triggers, warm_up

app = Chalice(app_name="central")
instrument(app)


@app.route(
    "/slack/actions",
    methods=["POST"],
    content_types=["application/x-www-form-urlencoded"],
    name="buttonClick",
)
def buttonClick() -> Response:
    """Somebody clicked Approve or Deny in Slack."""
    return triggers.button_click(app.current_request, app.lambda_context)


@app.on_sns_message(topic="securityGroupChange", name="securityGroupChange")
def securityGroupChange(event: SNSEvent) -> None:
    """A member account publishes a request, an applied change, or an adoption."""
    triggers.security_group_change(event)


@app.on_sns_message(topic="denySecurityGroupChange", name="denySecurityGroupChange")
def denySecurityGroupChange(event: SNSEvent) -> None:
    """A request was denied."""
    triggers.deny_security_group_change(event)


@app.on_sns_message(topic="errorHandlerSecurityGroupChange", name="errorHandlerSecurityGroupChange")
def errorHandlerSecurityGroupChange(event: SNSEvent) -> None:
    """A member account could not apply an approved change."""
    triggers.error_handler_security_group_change(event)


@app.schedule(Rate(1, unit=Rate.MINUTES), name="sweepRequests")
def sweepRequests(event: CloudWatchEvent) -> None:
    """Overdue tasks are done, people are reminded, and old requests expire."""
    triggers.sweep_requests(event)


warm_up.prepare()
