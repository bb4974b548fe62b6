"""How AWS names accounts and regions."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader

from shared.domain.place import is_account, is_region

REGIONS = sorted(
    region
    for partition in Loader().load_data("partitions")["partitions"]
    for region in partition["regions"]
    if not region.endswith("-global")
)
"""Every region that botocore knows, in every partition; the ``-global`` ones are not places."""


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_of_every_partition_is_a_region(region: str) -> None:
    """Commercial, China, GovCloud, European Sovereign and isolated regions."""
    assert is_region(region)


@pytest.mark.parametrize(
    "text", ["", "eu-west", "eu-west-1a", "eu-west-1\n", "eu_west_1", "EU-WEST-1", "x.eu-west-1", "a" * 99 + "-b-1"]
)
def test_anything_else_is_not_a_region(text: str) -> None:
    """A region becomes part of a host name and of ARNs."""
    assert not is_region(text)


def test_an_account_is_twelve_ascii_digits() -> None:
    """Leading zeros count; other digits of Unicode do not."""
    assert is_account("000000000012")
    assert not any(map(is_account, ("", "1" * 11, "1" * 13, "1" * 12 + "\n", "\N{ARABIC-INDIC DIGIT ONE}" * 12)))
