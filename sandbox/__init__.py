"""The whole system on one machine: a stand-in for AWS, a stand-in for Slack, and both apps as they ship.

Anything may be imported here; nothing of the product imports this package.
"""
