"""Requests in the central table: the record, its moves, and how it is stored."""
