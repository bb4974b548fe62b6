"""Who asked for what, who decided, and what became of it: the requests of all times, listed and exported."""
