"""Who may publish on the topics, put letters into the queues and use the keys: all others are denied, whoever it is."""

from __future__ import annotations

import pytest

from tests.deploy.resource_policies import Deployed, Verdict

CENTRAL, MEMBER, STRANGER = "111111111111", "222222222222", "999999999999"
ORGANIZATION = "o-a1b2c3d4e5"
MEMBER_APP = Deployed(
    "member", MEMBER, "eu-west-1", CentralAccountId=CENTRAL, CentralRegion="us-east-1", EncryptTopics="yes"
)
BY_ACCOUNTS = Deployed("central", CENTRAL, "us-east-1", MemberAccountIds=f"{MEMBER},333333333333", EncryptTopics="yes")
BY_ORGANIZATION = Deployed("central", CENTRAL, "us-east-1", OrganizationId=ORGANIZATION, EncryptTopics="yes")
OWN_ROLE = "security-group-approval-member-prod-eu-west-1"

Who = dict[str, str]


def role(account: str, name: str, organization: str = ORGANIZATION, **more: str) -> Who:
    """Return the context of a call by a role, over TLS."""
    own = {"aws:PrincipalAccount": account, "aws:PrincipalArn": f"arn:aws:iam::{account}:role/{name}"}
    return own | ({"aws:PrincipalOrgID": organization} if organization else {}) | {"aws:SecureTransport": "true"} | more


def service(name: str, source: str = "") -> Who:
    """Return the context of a call by an AWS service: it carries no account and no organization of a principal."""
    return {"service": f"{name}.amazonaws.com", "aws:SecureTransport": "true"} | (
        {"aws:SourceArn": source, "aws:SourceAccount": source.split(":")[4]} if source else {}
    )


ANONYMOUS: Who = {"aws:SecureTransport": "true"}
IN_THE_CLEAR = {"aws:SecureTransport": "false"}
ALARM = service("cloudwatch", f"arn:aws:cloudwatch:us-east-1:{CENTRAL}:alarm:x")
RULE = service("events", f"arn:aws:events:us-east-1:{CENTRAL}:rule/x")


@pytest.mark.parametrize(
    ("who", "verdict"),
    [
        (role(CENTRAL, "central-prod-us-east-1-api_handler"), "allowed"),
        (role(CENTRAL, "central-prod-us-east-1-sweepRequests"), "allowed"),
        (role(CENTRAL, "central-prod-us-east-1-api_handler") | IN_THE_CLEAR, "denied"),
        (role(CENTRAL, "central-prod-us-east-1-securityGroupChange"), "denied"),
        (role(CENTRAL, "administrator"), "denied"),
        (role(MEMBER, "administrator"), "denied"),
        (role(MEMBER, OWN_ROLE), "denied"),
        (role(MEMBER, "central-prod-us-east-1-api_handler"), "denied"),
        (role(STRANGER, "central-prod-us-east-1-api_handler"), "denied"),
        (ANONYMOUS, "denied"),
        (ALARM, "denied"),
        (RULE, "denied"),
    ],
)
def test_the_apply_topic_takes_decisions_of_the_central_app_alone(who: Who, verdict: Verdict) -> None:
    """All others are denied explicitly: the own account's administrators, other roles of the central one, services."""
    assert MEMBER_APP.verdict("ApplyTopicPolicy", "sns:Publish", who) == verdict


@pytest.mark.parametrize("policy", ["ChangeTopicPolicy", "ErrorTopicPolicy"])
@pytest.mark.parametrize("deployed", [BY_ACCOUNTS, BY_ORGANIZATION], ids=["accounts", "organization"])
@pytest.mark.parametrize(
    ("who", "verdict"),
    [
        (role(MEMBER, OWN_ROLE), "allowed"),
        (role(MEMBER, OWN_ROLE) | IN_THE_CLEAR, "denied"),
        (role(MEMBER, "administrator"), "denied"),
        (role(CENTRAL, "administrator"), "denied"),
        (role(STRANGER, OWN_ROLE, "o-z9y8x7w6v5"), "denied"),
        (role(STRANGER, OWN_ROLE, ""), "denied"),
        (ANONYMOUS, "denied"),
        (ALARM, "denied"),
        (RULE, "denied"),
    ],
)
def test_requests_come_from_the_product_in_member_accounts_alone(
    deployed: Deployed, policy: str, who: Who, verdict: Verdict
) -> None:
    """Listed accounts or one organization; an account outside of any organization carries no id, and is denied too."""
    assert deployed.verdict(policy, "sns:Publish", who) == verdict


@pytest.mark.parametrize(
    ("who", "verdict"),
    [
        (role(CENTRAL, "central-prod-us-east-1-api_handler"), "allowed"),
        (role(CENTRAL, "administrator"), "denied"),
        (role(MEMBER, "central-prod-us-east-1-api_handler"), "denied"),
        (ANONYMOUS, "denied"),
        (ALARM, "denied"),
    ],
)
def test_denials_come_from_the_central_app_alone(who: Who, verdict: Verdict) -> None:
    """Its own functions, and nobody else of its account."""
    assert BY_ACCOUNTS.verdict("DenyTopicPolicy", "sns:Publish", who) == verdict


@pytest.mark.parametrize(
    ("deployed", "own", "topic", "rule"),
    [
        (
            MEMBER_APP,
            role(MEMBER, OWN_ROLE),
            f"arn:aws:sns:eu-west-1:{MEMBER}:applySecurityGroupChange",
            f"arn:aws:events:eu-west-1:{MEMBER}:rule/member-prod-eu-west-1-revertSecurityGroup-event",
        ),
        (
            BY_ACCOUNTS,
            role(CENTRAL, "central-prod-us-east-1-sweepRequests"),
            f"arn:aws:sns:us-east-1:{CENTRAL}:denySecurityGroupChange",
            f"arn:aws:events:us-east-1:{CENTRAL}:rule/central-prod-us-east-1-sweepRequests-event",
        ),
    ],
    ids=["member", "central"],
)
def test_nobody_forges_a_dead_letter(deployed: Deployed, own: Who, topic: str, rule: str) -> None:
    """What lies in a queue is handed to the functions by a redrive; so only those write who failed to deliver."""
    account = own["aws:PrincipalAccount"]

    def failed(who: Who) -> Verdict:
        return deployed.verdict("FailuresPolicy", "sqs:SendMessage", who)

    def undelivered(who: Who) -> Verdict:
        return deployed.verdict("UndeliveredPolicy", "sqs:SendMessage", who)

    assert failed(own) == "not allowed"  # by the queue; the role's own policy allows it
    assert [failed(one) for one in (role(account, "administrator"), ANONYMOUS, service("sns", topic))] == ["denied"] * 3
    assert [undelivered(one) for one in (service("sns", topic), service("events", rule))] == ["allowed"] * 2
    others = (
        own,
        role(account, "administrator"),
        ANONYMOUS,
        service("sns", f"{topic}-of-mine"),
        service("sns"),
        service("events", rule.replace("-prod-", "-other-")),
    )
    assert [undelivered(one) for one in others] == ["denied"] * len(others)


@pytest.mark.parametrize("deployed", [BY_ACCOUNTS, BY_ORGANIZATION], ids=["accounts", "organization"])
def test_the_central_key_is_for_publishing_members(deployed: Deployed) -> None:
    """By SNS of this region, by members; it decrypts nothing for anybody directly."""
    by_sns = {"kms:ViaService": "sns.us-east-1.amazonaws.com"}

    def verdict(who: Who) -> Verdict:
        return deployed.verdict("Key", "kms:GenerateDataKey", who, key="KeyPolicy")

    assert verdict(role(MEMBER, OWN_ROLE) | by_sns) == "allowed"
    others = (
        role(MEMBER, OWN_ROLE),
        role(MEMBER, OWN_ROLE) | {"kms:ViaService": "ssm.us-east-1.amazonaws.com"},
        role(STRANGER, OWN_ROLE, "") | by_sns,
        role(STRANGER, OWN_ROLE, "o-z9y8x7w6v5") | by_sns,
        ANONYMOUS | by_sns,
    )
    assert [verdict(one) for one in others] == ["not allowed"] * len(others)


def test_a_members_key_is_for_the_publishing_central_account() -> None:
    """And for nobody else outside the account."""
    by_sns = {"kms:ViaService": "sns.eu-west-1.amazonaws.com"}
    found = [
        MEMBER_APP.verdict("Key", "kms:Decrypt", role(account, "any") | by_sns, key="KeyPolicy")
        for account in (CENTRAL, STRANGER)
    ]
    assert found == ["allowed", "not allowed"]
