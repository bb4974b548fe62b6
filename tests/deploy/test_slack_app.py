"""The Slack app's manifest and the link that creates it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import yaml

from deploy.errors import DeployError
from deploy.names import ROOT
from deploy.slack_app import link, manifest

URL = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/slack/actions"


def text(least: int, most: int) -> dict[str, Any]:
    """Return the rule for a text of a length."""
    return {"type": "string", "minLength": least, "maxLength": most}


def closed(**properties: Any) -> dict[str, Any]:
    """Return the rule for an object that has these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


BOOLEAN = {"type": "boolean"}
ADDRESS = {"type": "string", "pattern": "^https://", "maxLength": 3500}
# The part of Slack's rules that this manifest uses: https://docs.slack.dev/reference/app-manifest,
# https://github.com/slackapi/manifest-schema
RULES = closed(
    display_information=closed(
        name=text(1, 35),
        description=text(1, 140),
        long_description=text(175, 4000),
        background_color={"type": "string", "pattern": "^#([0-9a-fA-F]{3}){1,2}$"},
    )
    | {"required": ["name"]},
    features=closed(bot_user=closed(display_name=text(1, 80), always_online=BOOLEAN) | {"required": ["display_name"]}),
    oauth_config=closed(scopes=closed(bot={"type": "array", "items": text(1, 50), "maxItems": 255})),
    settings=closed(
        incoming_webhooks=closed(incoming_webhooks_enabled=BOOLEAN),
        interactivity=closed(is_enabled=BOOLEAN, request_url=ADDRESS) | {"required": ["is_enabled"]},
        org_deploy_enabled=BOOLEAN,
        socket_mode_enabled=BOOLEAN,
        token_rotation_enabled=BOOLEAN,
    ),
) | {"required": ["display_information"]}


@pytest.mark.parametrize("document", [(ROOT / "deploy/slack/manifest.yaml").read_text(encoding="utf-8"), manifest(URL)])
def test_the_manifest_keeps_to_slacks_rules(document: str) -> None:
    """Known keys, lengths Slack takes, in the file and with the address filled in."""
    jsonschema.validate(yaml.safe_load(document), RULES)


def test_the_manifest_asks_for_webhooks_and_clicks_and_no_more() -> None:
    """The app can post, replace its messages, hear clicks and read user groups; it can read no messages."""
    found = yaml.safe_load(manifest(URL))
    assert found["oauth_config"]["scopes"] == {
        "bot": ["incoming-webhook", "chat:write", "usergroups:read", "users:read"]
    }
    assert found["settings"]["interactivity"] == {"is_enabled": True, "request_url": URL}
    assert found["settings"]["incoming_webhooks"] == {"incoming_webhooks_enabled": True}


def test_the_link_carries_the_whole_manifest() -> None:
    """One click, and Slack shows the app as the file describes it."""
    parts = urlsplit(link(URL))
    query = parse_qs(parts.query)
    assert (parts.netloc, parts.path, query["new_app"]) == ("api.slack.com", "/apps", ["1"])
    assert yaml.safe_load(query["manifest_yaml"][0]) == yaml.safe_load(manifest(URL))


@pytest.mark.parametrize("address", ["http://example.com/", "", 'https://x/"\nname: other', "https://a b/"])
def test_only_an_address_that_slack_takes_is_filled_in(address: str) -> None:
    """Slack sends clicks to https alone, and nothing else finds its way into the manifest."""
    with pytest.raises(DeployError, match="not an address"):
        manifest(address)
