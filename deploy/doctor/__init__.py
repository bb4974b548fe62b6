"""Explains in plain sentences what is missing or wrong in an account. Nothing here changes anything."""
