"""The Slack app: its manifest, and the link that creates it with one click.

https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from deploy.errors import DeployError
from deploy.names import ROOT

_PLACEHOLDER: Final = "https://example.com/prod/slack/actions"


def manifest(request_url: str) -> str:
    """Return the manifest with the address that Slack sends clicks to.

    Raises:
        DeployError: when that is no ``https://`` address, which Slack would not take.
    """
    if (
        not request_url.startswith("https://")
        or not request_url.isascii()
        or any(char in request_url for char in " \"'\n")
    ):
        raise DeployError(f"{request_url!r} is no address that Slack could send clicks to; it begins with https://.")
    text = (ROOT / "deploy" / "slack" / "manifest.yaml").read_text(encoding="utf-8")
    if _PLACEHOLDER not in text:
        raise DeployError(f"deploy/slack/manifest.yaml no longer has {_PLACEHOLDER} as its request_url.")
    return text.replace(_PLACEHOLDER, request_url)


def link(request_url: str) -> str:
    """Return the address that opens Slack's page for a new app, all filled in."""
    text = "".join(line for line in manifest(request_url).splitlines(keepends=True) if not line.startswith("#"))
    return "https://api.slack.com/apps?" + urlencode({"new_app": "1", "manifest_yaml": text})
