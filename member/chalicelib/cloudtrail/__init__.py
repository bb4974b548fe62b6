"""Reading CloudTrail's records of security-group calls; pure."""
