"""``python -m shared.policy``: see ``shared.policy.cli.main``."""

from __future__ import annotations

import sys

from shared.policy.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
