"""Compares the service control policy for zero exposure with what the policy file would write; reads alone.

Only an organization's management account, or an account it delegated this to, may look. Elsewhere nothing is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy.ask_scp import NAME, read_policies, service_control_policy, tag_of, warnings
from deploy.console import note
from deploy.errors import DeployError
from deploy.target import Target, code_of
from shared.policy.loading import VENDORED_POLICY_FILE

_MAY_NOT_LOOK: Final = ("AccessDeniedException", "AccessDenied", "AWSOrganizationsNotInUseException")
_REMEDY: Final = "write it with `python -m deploy scp --ask` and update it in AWS (docs/zero-exposure.md)"


def ask_policy(target: Target) -> Iterator[str]:
    """The service control policy that refuses calls is what the policy file would write, and refused calls ask."""
    try:
        found = list(_deployed(target))
    except ClientError as error:
        if code_of(error) not in _MAY_NOT_LOOK:
            raise
        note("The service control policies are not compared: this account may not look at the organization's.")
        return
    except BotoCoreError as error:
        note(f"The service control policies are not compared: AWS Organizations cannot be reached ({error}).")
        return
    for name, text, is_attached in found:
        yield from _problems(name, text, target.place.stage)
        if not is_attached:
            yield f"The service control policy {name} is attached to nothing: attach or delete it."


def _deployed(target: Target) -> Iterator[tuple[str, str, bool]]:
    """Yield name and content of each policy of this kind, and whether it is attached to anything."""
    client = target.client("organizations")
    pages = client.get_paginator("list_policies").paginate(Filter="SERVICE_CONTROL_POLICY")
    for one in [one for page in pages for one in page["Policies"] if one["Name"].startswith(NAME)]:
        content = client.describe_policy(PolicyId=one["Id"])["Policy"]["Content"]
        targets = client.list_targets_for_policy(PolicyId=one["Id"])["Targets"]
        yield one["Name"], content, bool(targets)


def _problems(name: str, text: str, stage: str) -> Iterator[str]:
    try:
        deployed: Mapping[str, Any] = json.loads(text)
        policies = read_policies(VENDORED_POLICY_FILE)
        wanted = service_control_policy(policies, stage=stage, only_tag=tag_of(deployed))
    except DeployError as error:
        yield f"The service control policy {name} cannot be compared with the policy file: {error}"
        return
    except (ValueError, AttributeError) as error:
        yield f"The service control policy {name} cannot be read ({error}): {_REMEDY}."
        return
    if _sorted(deployed) != _sorted(wanted):
        yield f"The service control policy {name} is not what the policy file would write: {_REMEDY}."
    for warning in warnings(policies):
        yield f"The service control policy {name} refuses calls. {warning}"


def _sorted(value: Any) -> Any:
    """Return a policy in a form in which the order of lists, and a list of one element, make no difference."""
    if isinstance(value, Mapping):
        return {key: _sorted(one) for key, one in value.items()}
    if isinstance(value, list):
        listed = sorted((_sorted(one) for one in value), key=json.dumps)
        return listed[0] if len(listed) == 1 else listed
    return value
