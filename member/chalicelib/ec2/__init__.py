"""EC2: its forms of rules, plans of calls, and running them."""
