"""The functions' settings: what ``config.json`` ships, what the operator gives now, and what was set before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deploy.console import done
from deploy.errors import DeployError
from deploy.names import FUNCTIONS
from deploy.target import Target

MODE_OVERRIDE: Final = "modeOverride"
MODES: Final[Mapping[str, str]] = {"observe": "observe", "enforce": "enforce", "policy": ""}
"""Positions of the emergency switch, and the setting's value; ``policy``: the policy file decides."""


def merged(shipped: Mapping[str, str], current: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings to deploy with.

    What is given now comes first, even when empty; then what ``config.json`` says; and where that is empty, what an
    earlier deployment or the emergency switch set, so that a redeployment never turns the switch off by accident.

    Raises:
        DeployError: for a given setting that the app does not have.
    """
    unknown = sorted(given.keys() - shipped.keys())
    if unknown:
        raise DeployError(f"{', '.join(unknown)}: not a setting of this app. It has {', '.join(sorted(shipped))}.")
    return {name: given.get(name, value or current.get(name, "")) for name, value in shipped.items()}


def current(target: Target) -> dict[str, str]:
    """Return the settings of the deployed functions; empty when there are none."""
    found = configuration(target, FUNCTIONS[target.place.app][0])
    return {} if found is None else environment(found)


def configuration(target: Target, function: str) -> dict[str, Any] | None:
    """Return Lambda's description of a function, ``None`` when it does not exist."""
    return target.find("lambda", "get_function_configuration", FunctionName=target.place.function(function))


def environment(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables of a function's configuration."""
    return dict(found.get("Environment", {}).get("Variables", {}))


def switch(target: Target, *, mode: str) -> int:
    """The verb ``switch``: set the emergency switch of all functions, without a redeployment.

    Args:
        target: the member app.
        mode: one of :data:`MODES`.

    Raises:
        DeployError: when a function is missing.
    """
    client, place = target.client("lambda"), target.place
    for name in FUNCTIONS[place.app]:
        found = configuration(target, name)
        if found is None:
            raise DeployError(f"{place.function(name)} does not exist; is the member app deployed here?")
        variables = {**environment(found), MODE_OVERRIDE: MODES[mode]}
        updated = client.get_waiter("function_updated_v2")
        updated.wait(FunctionName=place.function(name))
        client.update_function_configuration(FunctionName=place.function(name), Environment={"Variables": variables})
        updated.wait(FunctionName=place.function(name))
    done(f"account {place.account}, {place.region}: mode '{mode}' from the next event on")
    return 0
