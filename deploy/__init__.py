"""Brings both apps into AWS accounts, looks after them there, and takes them away: ``python -m deploy``.

Chalice creates functions, rules, subscriptions and the REST API; the templates beside this package create what those
stand on; the modules add what neither does. Nothing here ships in a zip.
"""
