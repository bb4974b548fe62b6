"""Errors of the sandbox itself, as sentences for the person who started it."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the message says what was wrong and what to do."""
