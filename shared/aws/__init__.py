"""Thin adapters to AWS: one module per service used; foreign errors become errors of ours here and nowhere else."""
