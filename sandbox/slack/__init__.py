"""The stand-in for Slack: a workspace with two channels and a few people, and the web addresses that apps talk to."""
