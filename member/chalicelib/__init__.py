"""The member app's flows: revert, apply, snapshot. ``app.py`` lists the triggers, ``shared`` knows the rules."""
