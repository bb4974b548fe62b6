"""EC2's calls about what is around a security group: attached interfaces, its tags, prefix lists. All of them read.

They answer with EC2's own documents; ``assessment.reach`` reads them. One page each: what a question shows is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.clients import client

from .refusal import GROUP_GONE, Ec2Error, Refusal
from .security_groups import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.aws.clients import RetryProfile

INTERFACES_COUNTED: Final = 100
_ENTRIES_READ: Final = 100
_LISTS_READ: Final = 100

Json = dict[str, Any]


class Surroundings:
    """What is around the security groups of a region.

    Args:
        region: e.g. ``eu-west-1``.
        retries: timeouts and retries of its calls.
    """

    def __init__(self, region: str, *, retries: RetryProfile) -> None:
        self._client: Any = client("ec2", region, retries=retries)

    def interfaces(self, group_id: str) -> tuple[list[Json], bool]:
        """Return at most :data:`INTERFACES_COUNTED` network interfaces with the group, and whether there are more.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html

        Raises:
            Ec2Error: when EC2 refuses or does not answer in time; so do the other methods.
        """
        wanted = [{"Name": "group-id", "Values": [group_id]}]
        call = self._client.describe_network_interfaces
        answer = _run(call, Filters=wanted, MaxResults=INTERFACES_COUNTED)
        found = _listed(answer, "NetworkInterfaces")
        return found[:INTERFACES_COUNTED], bool(answer.get("NextToken")) or len(found) > INTERFACES_COUNTED

    def tags(self, group_id: str) -> list[Json] | None:
        """Return the tags of a group; ``None`` when it is gone."""
        try:
            answer = _run(self._client.describe_security_groups, GroupIds=[group_id])
        except Ec2Error as error:
            if error.refusal.code in GROUP_GONE:
                return None
            raise
        return next((group.get("Tags") or [] for group in _listed(answer, "SecurityGroups")), None)

    def prefix_lists(self, list_ids: list[str]) -> list[Json]:
        """Return what EC2 says of managed prefix lists, their version among it; one that is gone is left out.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html
        """
        wanted = [{"Name": "prefix-list-id", "Values": list_ids}]
        answer = _run(self._client.describe_managed_prefix_lists, Filters=wanted, MaxResults=_LISTS_READ)
        return [one for one in _listed(answer, "PrefixLists") if one.get("PrefixListId") in list_ids]

    def entries(self, list_id: str, version: int | None) -> list[Json]:
        """Return the first entries of a version of a prefix list.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html
        """
        which: Json = {} if version is None else {"TargetVersion": version}
        call = self._client.get_managed_prefix_list_entries
        return _listed(_run(call, PrefixListId=list_id, MaxResults=_ENTRIES_READ, **which), "Entries")


def _listed(answer: Json, key: str) -> list[Json]:
    found = answer.get(key)
    if not isinstance(found, list):
        raise Ec2Error(Refusal(code="UnreadableAnswer", reason=f"EC2's answer has no {key}."))
    return found


def _run(call: Callable[..., Any], **arguments: Any) -> Any:
    try:
        return call(**arguments)
    except (ClientError, BotoCoreError) as error:
        raise translated(error) from error
