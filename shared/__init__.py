"""What the central and the member app share: rules, diffing, requests, Slack payloads, wire formats, thin AWS adapters.

Both apps vendor this package (``central/vendor/shared`` and ``member/vendor/shared`` are symlinks to it). Imports go
one
way: adapters (``aws``, ``slack``) may use ``wire``, ``wire`` may use ``domain``, and ``domain`` uses the standard
    library.
"""
