"""Batches: related calls of one requester are one question.

``joining`` puts new requests together, ``asking`` asks what has closed, ``deciding`` handles clicks, ``reporting``
shows what became of a batch. ``net_change`` says what a batch comes to; ``batch``, ``items`` and ``table`` are how it
is kept.
"""
