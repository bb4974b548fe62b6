"""The least that could be done instead of each flow: what its time is compared with, in the same run.

Each module is loaded by the same host as the product, with the same libraries, and stands alone.
"""
