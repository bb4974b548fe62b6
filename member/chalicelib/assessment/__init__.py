"""What a call did, measured against the baseline and the live group; pure."""
