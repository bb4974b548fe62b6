"""Deploys both apps into AWS accounts, looks after them, and removes them: ``python -m deploy``.

Chalice creates functions, rules, subscriptions and the REST API. The templates beside this package create what those
depend on, and these modules add what neither does. Nothing of this package ships in a zip.
"""
