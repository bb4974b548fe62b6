"""The verb ``doctor``: says in full sentences what is missing or wrong in an account, and what to do."""
