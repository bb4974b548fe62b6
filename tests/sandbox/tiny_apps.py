"""Two tiny apps with the product's decorators, to test the sandbox itself whatever the product does."""

from pathlib import Path
from textwrap import dedent

CENTRAL = '''
    """Keeps what it hears in its table, posts it to Slack, and lets a click answer."""
    import json, os, urllib.parse, urllib.request
    import boto3
    from chalice import Chalice, Response

    app = Chalice(app_name="central")
    table = boto3.client("dynamodb")
    print("central starts with", os.environ["policyFile"])

    @app.route("/slack/actions", methods=["POST"], name="buttonClick",
               content_types=["application/x-www-form-urlencoded"])
    def click():
        form = urllib.parse.parse_qs(app.current_request.raw_body.decode())
        payload = json.loads(form["payload"][0])
        key = payload["actions"][0]["value"]
        table.update_item(
            TableName="securityGroupRequests", Key={"requestId": {"S": key}},
            UpdateExpression="SET #s = :s", ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": {"S": "approved"}},
        )
        post(payload["response_url"], {"replace_original": True, "text": "Processing"})
        boto3.client("sns", region_name="eu-west-1").publish(
            TopicArn="arn:aws:sns:eu-west-1:222222222222:applySecurityGroupChange", Message=key)
        return Response(body="", status_code=200)

    @app.on_sns_message(topic="securityGroupChange", name="securityGroupChange")
    def changed(event):
        request = json.loads(event.message)
        table.put_item(TableName="securityGroupRequests", Item={
            "requestId": {"S": request["id"]}, "status": {"S": "pending"}, "requestedAt": {"S": request["at"]}})
        button = {"type": "button", "text": {"type": "plain_text", "text": "Approve Add"},
                  "action_id": "approve", "value": request["id"]}
        post(os.environ["approvalHookUrl"], {"text": "A change", "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "A change"}},
            {"type": "actions", "elements": [button]}]})

    @app.on_sns_message(topic="errorHandlerSecurityGroupChange", name="errorHandlerSecurityGroupChange")
    def failed(event):
        raise RuntimeError("cannot handle " + event.message)

    @app.schedule("rate(1 hour)", name="sweepRequests")
    def sweep(event):
        print("swept", event.account, event.region)

    def post(url, payload):
        request = urllib.request.Request(url, json.dumps(payload).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=5).read()
'''

MEMBER = '''
    """Revokes what an authorize call added, unless it was this app, and tells the central account."""
    import json
    import boto3
    from chalice import Chalice

    app = Chalice(app_name="member")
    sns = boto3.client("sns", region_name="us-east-1")
    central = "arn:aws:sns:us-east-1:111111111111:"

    @app.on_cw_event({"source": ["aws.ec2"], "detail": {"eventName": ["AuthorizeSecurityGroupIngress"]}},
                     name="revertSecurityGroup")
    def revert(event):
        detail = event.detail
        session = detail["userIdentity"].get("sessionContext") or {}
        if session.get("sessionIssuer", {}).get("userName") == "member-dev":
            return
        rules = detail["responseElements"]["securityGroupRuleSet"]["items"]
        ec2 = boto3.client("ec2", region_name=event.region)
        for rule in rules:
            if any(r["SecurityGroupRuleId"] == rule["securityGroupRuleId"] for r in
                   ec2.describe_security_group_rules()["SecurityGroupRules"]):
                ec2.revoke_security_group_ingress(
                    GroupId=rule["groupId"], SecurityGroupRuleIds=[rule["securityGroupRuleId"]])
        sns.publish(TopicArn=central + "securityGroupChange", Subject="Change",
                    Message=json.dumps({"id": detail["requestID"], "at": detail["eventTime"]}))

    @app.on_sns_message(topic="applySecurityGroupChange", name="applySecurityGroupChange")
    def apply(event):
        sns.publish(TopicArn=central + "errorHandlerSecurityGroupChange", Message=event.message)

    @app.schedule("rate(10 minutes)", name="snapshotSecurityGroups")
    def snapshot(event):
        print("snapshot", event.account, event.region)
'''


def write_app(folder: Path, source: str) -> Path:
    """Write an app into a folder of its own."""
    folder.mkdir()
    (folder / "app.py").write_text(dedent(source), encoding="utf-8")
    return folder
