"""The verb ``slack-manifest``: the Slack app's manifest, and the link that creates the app with one click.

https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from deploy.errors import DeployError
from deploy.names import ROOT
from deploy.rest_api import find_rest_api, request_url
from deploy.target import Target

_PLACEHOLDER: Final = "https://example.com/prod/slack/actions"


def slack_manifest(target: Target | None, *, url: str) -> int:
    """Print the manifest and the link.

    Args:
        target: the central app; its address is looked up when no other is given.
        url: the address that Slack sends clicks to.

    Raises:
        DeployError: when there is no REST API yet, or the address is not valid.
    """
    if target is not None:
        api_id = find_rest_api(target)
        if not api_id:
            raise DeployError("No REST API is deployed here yet: run `make deploy-central` first, or give --url.")
        url = request_url(target.place.region, api_id)
    print(manifest(url))
    print(f"# Create the app with one click:\n# {link(url)}")
    return 0


def manifest(address: str) -> str:
    """Return the manifest with the address that Slack sends clicks to.

    Raises:
        DeployError: when Slack would not accept the address.
    """
    if not address.startswith("https://") or not address.isascii() or any(char in address for char in " \"'\n"):
        raise DeployError(
            f"{address!r} is not an address that Slack can send clicks to; it has to begin with https://."
        )
    text = (ROOT / "deploy" / "slack" / "manifest.yaml").read_text(encoding="utf-8")
    if _PLACEHOLDER not in text:
        raise DeployError(f"deploy/slack/manifest.yaml no longer has {_PLACEHOLDER} as its request_url.")
    return text.replace(_PLACEHOLDER, address)


def link(address: str) -> str:
    """Return the address of Slack's page for a new app, with everything filled in."""
    text = "".join(line for line in manifest(address).splitlines(keepends=True) if not line.startswith("#"))
    return "https://api.slack.com/apps?" + urlencode({"new_app": "1", "manifest_yaml": text})
