"""The member app's flows: take back, apply, snapshot. ``app.py`` lists the triggers, ``shared`` knows the rules."""
