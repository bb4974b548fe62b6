"""The command line that checks a policy file, explains it and replays recorded changes; only operators run it.

No zip of ``python -m deploy`` has this folder (``deploy.staging``), so it may import the member app.
"""
