"""What doctor finds changed or deleted in a foundation, the deployment that doctor asks for puts back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.doctor import central, checks
from deploy.names import Place
from deploy.repairing import repair
from tests.deploy.operations import CENTRAL, MEMBER, Operator, operating

pytestmark = pytest.mark.slow

Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Deploy both apps, healthy."""
    with operating(tmp_path_factory) as found:
        found.make_trail()
        found.store_secrets()
        for place in (CENTRAL, MEMBER):
            assert found.deploy(place) == 0
        yield found


def change_role(client: Client) -> None:
    """Take a right away from the member app's role."""
    iam, name = client("iam"), "revertSecurityGroup"
    document = iam.get_role_policy(RoleName=MEMBER.role, PolicyName=name)["PolicyDocument"]
    document["Statement"] = [one for one in document["Statement"] if one["Sid"] != "ChangeRules"]
    iam.put_role_policy(RoleName=MEMBER.role, PolicyName=name, PolicyDocument=json.dumps(document))


def delete_role_policy(client: Client) -> None:
    """Delete one of the role's policies."""
    client("iam").delete_role_policy(RoleName=MEMBER.role, PolicyName="applySecurityGroupChange")


def open_queue(place: Place) -> Callable[[Client], None]:
    """Return what lets everybody of the account put messages into a queue."""

    def change(client: Client) -> None:
        url = client("sqs").get_queue_url(QueueName=place.failures)["QueueUrl"]
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})

    return change


def open_topic(place: Place, topic: str) -> Callable[[Client], None]:
    """Return what gives a topic AWS's default policy."""

    def change(client: Client) -> None:
        client("sns").set_topic_attributes(
            TopicArn=place.arn("sns", topic), AttributeName="Policy", AttributeValue='{"Statement": []}'
        )

    return change


def delete_queue(client: Client) -> None:
    """Delete a queue."""
    client("sqs").delete_queue(QueueUrl=client("sqs").get_queue_url(QueueName=MEMBER.undelivered)["QueueUrl"])


def delete_topic(client: Client) -> None:
    """Delete a topic."""
    client("sns").delete_topic(TopicArn=MEMBER.arn("sns", "applySecurityGroupChange"))


def delete_role(client: Client) -> None:
    """Delete the role of the functions."""
    for policy in client("iam").list_role_policies(RoleName=MEMBER.role)["PolicyNames"]:
        client("iam").delete_role_policy(RoleName=MEMBER.role, PolicyName=policy)
    client("iam").delete_role(RoleName=MEMBER.role)


def unprotect(client: Client) -> None:
    """Take the protection off the table of baselines."""
    client("dynamodb").update_table(TableName="securityGroupState", DeletionProtectionEnabled=False)


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        (CENTRAL, [open_queue(CENTRAL), open_topic(CENTRAL, "securityGroupChange")]),
        (
            MEMBER,
            [
                change_role,
                delete_role_policy,
                open_queue(MEMBER),
                open_topic(MEMBER, "applySecurityGroupChange"),
                unprotect,
            ],
        ),
        (MEMBER, [delete_queue, delete_topic, delete_role]),
    ],
    ids=["changed-central", "changed-member", "deleted"],
)
def test_what_doctor_says_to_run_again_repairs_it(
    operator: Operator, place: Place, broken: list[Callable[[Client], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each break adds a sentence that names the verb; after the verb, doctor has nothing to say."""
    monkeypatch.setattr(central, "probe", lambda _url, _secret: iter(()))
    said: set[str] = set()
    for break_it in broken:
        break_it(lambda service: operator.client(place, service))
        now = set(checks.examine(operator.target(place)))
        assert any(f"un `make deploy-{place.app}` again" in one for one in now - said)
        said = now
    assert operator.deploy(place) == 0
    assert list(checks.examine(operator.target(place))) == []


@pytest.mark.parametrize("place", [CENTRAL, MEMBER])
def test_nothing_is_repaired_that_is_right(operator: Operator, place: Place) -> None:
    """A deployment without drift writes no policy."""
    assert list(repair(operator.target(place))) == []


def test_the_trust_of_the_role_is_repaired(operator: Operator) -> None:
    """Somebody else could take the role, whose changes are never reverted."""
    iam = operator.client(MEMBER, "iam")
    trust = iam.get_role(RoleName=MEMBER.role)["Role"]["AssumeRolePolicyDocument"]
    other = {**trust, "Statement": [{**trust["Statement"][0], "Principal": {"AWS": MEMBER.account}}]}
    iam.update_assume_role_policy(RoleName=MEMBER.role, PolicyDocument=json.dumps(other))
    assert list(repair(operator.target(MEMBER))) == [f"who may take the role {MEMBER.role}"]
    assert iam.get_role(RoleName=MEMBER.role)["Role"]["AssumeRolePolicyDocument"] == trust


def test_a_principal_in_the_form_that_aws_stores_is_the_same(operator: Operator) -> None:
    """AWS turns an account id into the ARN of its root, and a list of one into its value."""
    sns, arn = operator.client(CENTRAL, "sns"), CENTRAL.arn("sns", "securityGroupChange")
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    policy["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{MEMBER.account}:root"}
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy))
    assert list(repair(operator.target(CENTRAL))) == []


def test_a_lost_table_is_restored_by_a_person(operator: Operator) -> None:
    """The stack does not make it again; doctor's remedy is the backup. (The last test: the table is gone.)"""
    unprotect(lambda service: operator.client(MEMBER, service))
    operator.client(MEMBER, "dynamodb").delete_table(TableName="securityGroupState")
    assert "The table securityGroupState is missing; restore it from its backup (docs/runbook.md)." in list(
        checks.examine(operator.target(MEMBER))
    )
