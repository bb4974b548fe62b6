"""The addresses that central's tests give to the app as Slack's, and the server behind them."""

from __future__ import annotations

from sandbox.slack.stand_in import OK, Post, Reply, SlackStandIn

__all__ = ["APPROVAL", "MONITORING", "OK", "RESPONSE", "Post", "Reply", "SlackStandIn"]

APPROVAL = "/services/T0001/B0001/approval-hook-secret"
MONITORING = "/services/T0001/B0002/monitoring-hook-secret"
RESPONSE = "/actions/T0001/1234/response-url-secret"
