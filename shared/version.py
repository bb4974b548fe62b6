"""The version of the product, in this one place; the changelog, heartbeats and the User-Agent say the same."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""As Semantic Versioning has it; 0.1.0 is what the first release will be called."""
