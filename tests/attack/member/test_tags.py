"""Tags that AWS alone may set do not keep an approved rule from being restored."""

from __future__ import annotations

import pytest

from tests.attack.stories import product
from tests.support.member_account import Person, rule

KEPT = rule(8443, "172.16.0.0/12", "kept")


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_rule_with_aws_tags_is_restored_with_its_own(is_heard: bool) -> None:
    """EC2 refuses to set keys that begin with ``aws:``; the others come back."""
    with product() as begin:
        member, account = begin()
        with account.installed():
            member.holds(KEPT, tags=[("team", "shop")])
            (held,) = (one for one in account.groups[member.group_id].rules.values() if not one["IsEgress"])
            held["Tags"].append({"Key": "aws:cloudformation:stack-name", "Value": "web"})
            member.snapshot()
            event = Person(member).closes(KEPT, eventTime=member.clock.now.isoformat())
            if is_heard:
                member.deliver(event)
            for _ in range(2):
                member.clock.wait(minutes=18)
                member.snapshot()
            (restored,) = member.live()
            assert (restored.identity, restored.tags) == (KEPT.identity, (("team", "shop"),))
