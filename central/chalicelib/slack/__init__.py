"""Slack's side: incoming webhooks, signatures and click payloads."""
