"""An operator with two accounts, two regions and a Slack workspace: what the tests of a deployment have in common."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from central.chalicelib.slack.signature import sign
from deploy.__main__ import main
from deploy.names import Place
from deploy.round_trip import make_event
from deploy.target import Target, find_target
from deploy.templates import foundation
from sandbox.slack.stand_in import SlackStandIn
from shared.slack.messages import APPROVE, DENY
from tests.deploy.builds import offline_pip, reusing_zips
from tests.deploy.cloud import Cloud, running_cloud

CENTRAL = Place(app="central", stage="prod", partition="aws", account="111111111111", region="us-east-1")
MEMBER = Place(app="member", stage="prod", partition="aws", account="222222222222", region="eu-west-1")
OTHER_REGION = Place(app="member", stage="prod", partition="aws", account="222222222222", region="us-east-1")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION")
SECRET = "0123456789abcdef0123456789abcdef"
MEMBER_ARGUMENTS = ["--central", CENTRAL.account, "--central-region", CENTRAL.region]


@dataclass
class Operator:
    """Runs verbs, and plays the people: who changes rules and who clicks."""

    cloud: Cloud
    slack: SlackStandIn
    _targets: dict[Place, Target] = field(default_factory=dict)

    def run(self, *arguments: str) -> int:
        """Run a verb with the profile and region that stand in it."""
        return main(arguments)

    def at(self, place: Place, verb: str, *arguments: str) -> int:
        """Run a verb for a place."""
        app = [place.app] if verb in ("doctor", "finish", "undeploy", "redrive") else []
        more = ["--yes"] if verb == "undeploy" else []
        return main([verb, *app, *more, "--profile", place.app, "--region", place.region, *arguments])

    def deploy(self, place: Place, *arguments: str) -> int:
        """Deploy to a place."""
        usual = ["--members", MEMBER.account] if place.app == "central" else MEMBER_ARGUMENTS
        return self.at(place, place.app, *usual, *arguments)

    def target(self, place: Place) -> Target:
        """Return what the verbs work with."""
        if place not in self._targets:
            found = find_target(place.app, profile=place.app, region=place.region, stage=place.stage)
            self._targets[place] = found
        return self._targets[place]

    def client(self, place: Place, service: str) -> Any:
        """Return an administrator's client."""
        return self.cloud.client(place.account, place.region, service)

    def make_trail(self) -> None:
        """Create what the member account has to have: a trail of all regions."""
        trail = self.client(MEMBER, "cloudtrail")
        self.client(MEMBER, "s3").create_bucket(
            Bucket="trail-of-the-account", CreateBucketConfiguration={"LocationConstraint": MEMBER.region}
        )
        trail.create_trail(Name="all", S3BucketName="trail-of-the-account", IsMultiRegionTrail=True)
        trail.put_event_selectors(
            TrailName="all", EventSelectors=[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
        )
        trail.start_logging(Name="all")

    def store_secrets(self) -> None:
        """Put into SSM what Slack shows when the app is made."""
        values = {
            "slackSigningSecret": SECRET,
            "approvalHookUrl": self.slack.url("/approve"),
            "monitoringHookUrl": self.slack.url("/monitor"),
        }
        for name, value in values.items():
            self.client(CENTRAL, "ssm").put_parameter(
                Name=f"/security-group-approval/{name}", Value=value, Type="SecureString", Overwrite=True
            )

    def leave_a_table(self) -> None:
        """Make the table of requests, with one in it, as an installation that was taken away leaves it."""
        properties = foundation("central")["Resources"]["Requests"]["Properties"]
        taken = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        table = self.client(CENTRAL, "dynamodb")
        table.create_table(**{name: properties[name] for name in taken}, DeletionProtectionEnabled=True)
        item = {
            "requestId": {"S": "from-before"},
            "status": {"S": "denied"},
            "requestedAt": {"S": "2026-01-01T00:00:00Z"},
        }
        table.put_item(TableName=properties["TableName"], Item=item)

    def open_port(self, group_id: str, port: int) -> str:
        """Open a port as a person does, and let CloudTrail tell; return the request's id."""
        permission = {
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": [{"CidrIp": "198.51.100.0/24", "Description": "office"}],
        }
        ec2 = self.client(MEMBER, "ec2")
        answer = ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        rule_id = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        request_id = str(uuid.uuid4())
        event = opened(request_id, group_id, port, rule_id)
        self.deliver(event)
        return request_id

    def deliver(self, event: dict[str, Any]) -> None:
        """Hand an event over as EventBridge does: to the rule's target."""
        targets = self.client(MEMBER, "events").list_targets_by_rule(Rule=MEMBER.rule("revertSecurityGroup"))["Targets"]
        for target in targets:
            self.client(MEMBER, "lambda").invoke(
                FunctionName=target["Arn"], InvocationType="Event", Payload=json.dumps(event).encode()
            )
        self.cloud.settle()

    def click(self, action: str) -> dict[str, Any]:
        """Click a button of the newest approval message; return API Gateway's answer."""
        payload = {
            "type": "block_actions",
            "user": {"id": "U0APPROVER", "username": "grace", "team_id": "T0TEAM"},
            "team": {"id": "T0TEAM"},
            "container": {"type": "message", "message_ts": "1.2"},
            "response_url": self.slack.url("/response"),
            "actions": [{"action_id": action, "type": "button", "value": self._button(action)}],
        }
        body = urlencode({"payload": json.dumps(payload)})
        stamp = str(int(time.time()))
        answer = self.client(CENTRAL, "lambda").invoke(
            FunctionName=CENTRAL.function("api_handler"),
            Payload=json.dumps(_proxied(body, stamp, sign(SECRET, stamp, body.encode()))).encode(),
        )
        self.cloud.settle()
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found

    def _button(self, action: str) -> str:
        """Return the value of the newest button of a kind."""
        for post in reversed(self.slack.to("/approve")):
            for block in post.payload.get("blocks", []):
                for element in block.get("elements", []) if block["type"] == "actions" else []:
                    if element["action_id"] == action:
                        return str(element["value"])
        raise AssertionError(f"no button {action}")

    def status(self, request_id: str) -> str:
        """Return the status of a request in the central table."""
        item = self.client(CENTRAL, "dynamodb").get_item(
            TableName="securityGroupRequests", Key={"requestId": {"S": request_id}}
        )
        return str(item["Item"]["status"]["S"]) if "Item" in item else ""

    def ports(self, group_id: str) -> set[int]:
        """Return the ports that are open in a group."""
        ec2 = self.client(MEMBER, "ec2")
        filters = [{"Name": "group-id", "Values": [group_id]}]
        rules = ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        return {rule["FromPort"] for rule in rules if not rule["IsEgress"]}

    def make_group(self, name: str) -> str:
        """Make a security group that the snapshot has learned."""
        ec2 = self.client(MEMBER, "ec2")
        group_id: str = ec2.create_security_group(GroupName=name, Description="test")["GroupId"]
        return group_id


APPROVE_ACTION, DENY_ACTION = APPROVE, DENY


def opened(request_id: str, group_id: str, port: int, rule_id: str) -> dict[str, Any]:
    """Return CloudTrail's event of one opened port."""
    event = make_event(MEMBER, request_id, datetime.now(UTC))
    detail = event["detail"]
    detail["userIdentity"]["userName"] = "ada"
    detail["userIdentity"]["arn"] = f"arn:aws:iam::{MEMBER.account}:user/ada"
    detail["requestParameters"]["groupId"] = group_id
    permission = detail["requestParameters"]["ipPermissions"]["items"][0]
    permission |= {"fromPort": port, "toPort": port}
    permission["ipRanges"]["items"][0] = {"cidrIp": "198.51.100.0/24", "description": "office"}
    rule = {
        "groupOwnerId": MEMBER.account,
        "groupId": group_id,
        "securityGroupRuleId": rule_id,
        "isEgress": False,
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "cidrIpv4": "198.51.100.0/24",
        "description": "office",
    }
    detail["responseElements"]["securityGroupRuleSet"] = {"items": [rule]}
    return event


def deleted(group_id: str) -> dict[str, Any]:
    """Return CloudTrail's event of a deleted group."""
    event = make_event(MEMBER, str(uuid.uuid4()), datetime.now(UTC))
    event["detail"] |= {
        "eventName": "DeleteSecurityGroup",
        "requestParameters": {"groupId": group_id},
        "responseElements": {"_return": True},
    }
    return event


def _proxied(body: str, stamp: str, signature: str) -> dict[str, Any]:
    """Return API Gateway's event of Slack's request."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature,
    }
    return {
        "resource": "/slack/actions",
        "path": "/slack/actions",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/slack/actions",
            "httpMethod": "POST",
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


@contextmanager
def operating(factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Give an operator both accounts, as profiles, and an empty Slack workspace."""
    folder = factory.mktemp("cloud")
    pip = offline_pip(factory)
    with SlackStandIn() as slack, running_cloud(folder) as cloud, pytest.MonkeyPatch.context() as patch:
        for name in CREDENTIALS:
            patch.delenv(name, raising=False)
        for name, value in pip.items():
            patch.setenv(name, value)
        credentials = folder / "credentials"
        lines = []
        for place in (CENTRAL, MEMBER):
            found: Any = cloud.session(place.account, place.region).get_credentials()
            lines += [
                f"[{place.app}]",
                f"aws_access_key_id = {found.access_key}",
                f"aws_secret_access_key = {found.secret_key}",
                f"aws_session_token = {found.token}",
            ]
        credentials.write_text("\n".join(lines), encoding="utf-8")
        patch.setattr("deploy.running_chalice.chalice", reusing_zips(factory))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        patch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
        patch.setenv("AWS_ENDPOINT_URL", cloud.url)
        patch.setattr(
            "deploy.staging.build_folder", lambda place: folder / "build" / f"{place.app}-{place.chalice_stage}"
        )
        yield Operator(cloud=cloud, slack=slack)
