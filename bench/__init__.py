"""Measurements of the product as it ships, run on demand: ``make bench`` and ``make cost``. Nothing here is a test.

Figures depend on the machine; what does not (counts of calls, ratios to a floor measured in the same run) is shown
first. Tests assert the counts, never a time.
"""
