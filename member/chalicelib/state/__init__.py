"""What the member account stores: baselines (approved rules) and the ledger (what was reverted)."""
