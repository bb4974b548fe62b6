"""Notices accounts that were swapped: a profile of the one with the verb of the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from botocore.exceptions import ClientError, EndpointConnectionError

from deploy import foundation
from deploy.console import note
from deploy.errors import DeployError
from deploy.names import App
from deploy.target import Target, in_region

_OTHER: Final[dict[App, App]] = {"central": "member", "member": "central"}
_CENTRAL: Final = "CentralAccountId"


def sibling(target: Target) -> Target:
    """Return the same place for the other app."""
    return replace(target, place=replace(target.place, app=_OTHER[target.place.app]))


def check_central(target: Target) -> None:
    """Check that the account of a central app is not a member of another one.

    Raises:
        DeployError: when it is.
    """
    place = target.place
    central = foundation.parameter(foundation.find_stack(sibling(target)), _CENTRAL)
    if central not in ("", place.account):
        raise DeployError(
            f"Account {place.account} is a member account here, of the central account {central}: are the profiles "
            "swapped? To move the central app into it, undeploy the member app first."
        )


def check_member(target: Target, central: str, region: str) -> None:
    """Check that a member app gets an account of its own, or the one that has the central app.

    Args:
        target: of the member app.
        central: id of the central account.
        region: of the central app.

    Raises:
        DeployError: when the central app is here and another account is named, or the other way round.
    """
    place = target.place
    here = any(_has_central(target, one) for one in dict.fromkeys((place.region, region)))
    if here and central != place.account:
        raise DeployError(
            f"Account {place.account} has the central app itself, but CENTRAL is {central}: are the profiles swapped? "
            f"To guard the central account too, say CENTRAL={place.account}."
        )
    if central == place.account and not here:
        raise DeployError(
            f"CENTRAL is {central}, the account of this very profile, and the central app is not deployed here in "
            f"{region}: are the profiles swapped? Deploy the central app first."
        )
    before = foundation.parameter(foundation.find_stack(target), _CENTRAL)
    if before not in ("", central):
        note(f"The central account of this member was {before}, and is {central} from now on.")


def _has_central(target: Target, region: str) -> bool:
    try:
        return foundation.find_stack(in_region(sibling(target), region)) is not None
    except EndpointConnectionError as error:
        raise DeployError(f"AWS cannot be reached in {region}: does the region exist? ({error})") from error
    except ClientError:  # credentials of a member account count nothing in a region that it has not enabled
        if region == target.place.region:
            raise
        return False
