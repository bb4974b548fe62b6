"""The policy file: finding and reading it; its command line is in ``cli``."""
