"""Reads the templates, and puts the policies of the member app's functions into the member's."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from deploy.names import FUNCTIONS, ROOT, App
from deploy.policies import as_template, function_policy, template_scope

LARGEST_BODY: Final = 51_200
"""Bytes of a template that CloudFormation accepts without a bucket.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms of its functions."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind of node
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name: value}


_Loader.add_multi_constructor("!", _function)


def foundation(app: App) -> dict[str, Any]:
    """Return an app's template, with all policies."""
    text = (ROOT / "deploy" / "templates" / f"{app}.yaml").read_text(encoding="utf-8")
    template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with CloudFormation's tags
    if app == "member":
        template["Resources"]["Role"]["Properties"]["Policies"] = [
            {
                "PolicyName": function,
                "PolicyDocument": as_template(function_policy(function, template_scope("member"))),
            }
            for function in FUNCTIONS["member"]
        ]
    return template


def as_body(template: dict[str, Any]) -> str:
    """Return a template as compact JSON."""
    return json.dumps(template, separators=(",", ":"), ensure_ascii=False)
