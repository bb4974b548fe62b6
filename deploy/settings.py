"""The functions' settings: what ``config.json`` ships, what the operator says now, and what was set before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.names import FUNCTIONS
from deploy.target import Target, code_of

MODE_OVERRIDE = "modeOverride"


def merged(shipped: Mapping[str, str], current: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings to deploy with.

    What is given now counts first, even when empty; then what ``config.json`` says; and where that is empty, what
    was set by an earlier deployment, the emergency switch above all: no redeploy turns it back unasked.

    Raises:
        DeployError: for a given setting that the app does not know.
    """
    unknown = sorted(given.keys() - shipped.keys())
    if unknown:
        raise DeployError(f"{', '.join(unknown)} is no setting of this app; it knows {', '.join(sorted(shipped))}.")
    return {name: given.get(name, value or current.get(name, "")) for name, value in shipped.items()}


def current(target: Target) -> dict[str, str]:
    """Return the settings of the deployed functions; empty when there are none."""
    return {} if (found := configuration(target, FUNCTIONS[target.place.app][0])) is None else environment(found)


def configuration(target: Target, function: str) -> dict[str, Any] | None:
    """Return what Lambda says of a function, ``None`` when it is not there."""
    try:
        found: dict[str, Any] = target.client("lambda").get_function_configuration(
            FunctionName=target.place.function(function)
        )
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    return found


def environment(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables of a function's configuration."""
    return dict(found.get("Environment", {}).get("Variables", {}))


def switch(target: Target, mode: str) -> None:
    """Turn the emergency switch of all functions: no redeploy, and no other setting is touched.

    Args:
        target: the member app.
        mode: ``observe``, ``enforce``, or ``""`` to follow the policy file.

    Raises:
        DeployError: when a function is missing.
    """
    client = target.client("lambda")
    for name in FUNCTIONS[target.place.app]:
        found = configuration(target, name)
        if found is None:
            raise DeployError(f"{target.place.function(name)} is not there; is the member app deployed here?")
        client.get_waiter("function_updated_v2").wait(FunctionName=target.place.function(name))
        client.update_function_configuration(
            FunctionName=target.place.function(name),
            Environment={"Variables": {**environment(found), MODE_OVERRIDE: mode}},
        )
        client.get_waiter("function_updated_v2").wait(FunctionName=target.place.function(name))
