"""The outbox: what still has to be posted for a request, and posting it."""
