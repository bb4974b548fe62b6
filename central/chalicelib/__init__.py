"""The central app: keeps requests, asks in Slack, hears clicks, and has decisions carried out."""
