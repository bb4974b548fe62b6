"""AWS for the tests of deployment: a moto server, with what Chalice and the templates need and moto lacks.

- API Gateway takes Swagger 2.0, which is what Chalice sends.
- CloudFormation makes topic and queue policies; alarms are taken and forgotten.
- Lambda runs the very zips that were uploaded, in clean interpreters under the functions' roles. Asynchronous
  invocations wait until :meth:`Cloud.settle`; three failures send the event to the function's on-failure queue, as in
  Lambda.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto.apigateway.models import APIGatewayBackend
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.core.common_models import CloudFormationModel
from moto.iam.models import Role
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from sandbox.aws.repairs import repaired
from tests.deploy.containers import Answer, Containers

TRIES = 3


def _apply_topic_policy(properties: Any, account: str, region: str) -> None:
    for arn in properties["Topics"]:
        sns_backends[account][region].topics[arn].policy = json.dumps(properties["PolicyDocument"])


def _apply_queue_policy(properties: Any, account: str, region: str) -> None:
    for url in properties["Queues"]:
        queue = sqs_backends[account][region].get_queue(url.rsplit("/", 1)[-1])
        queue._set_attributes({"Policy": json.dumps(properties["PolicyDocument"])})


def _model(kind: str, apply: Callable[[Any, str, str], None]) -> type[CloudFormationModel]:
    """Return a resource type for moto's CloudFormation that belongs to another resource, and goes with it."""

    def make(_: type, _name: str, document: Any, account_id: str, region_name: str, **__: Any) -> Any:
        apply(document["Properties"], account_id, region_name)
        return found()

    def update(cls: type, _resource: Any, name: str, document: Any, account_id: str, region_name: str) -> Any:
        return make(cls, name, document, account_id, region_name)

    members: dict[str, Any] = {
        "physical_resource_id": kind,
        "cloudformation_name_type": staticmethod(lambda: ""),
        "cloudformation_type": staticmethod(lambda: kind),
        "create_from_cloudformation_json": classmethod(make),
        "update_from_cloudformation_json": classmethod(update),
        "delete_from_cloudformation_json": classmethod(lambda *_, **__: None),
    }
    found = type("Model", (CloudFormationModel,), members)
    return found


# moto's own alarms know no metric math, and no test asks for alarms: they are taken and forgotten.
MODELS: tuple[tuple[str, Callable[[Any, str, str], None]], ...] = (
    ("AWS::SNS::TopicPolicy", _apply_topic_policy),
    ("AWS::SQS::QueuePolicy", _apply_queue_policy),
    ("AWS::CloudWatch::Alarm", lambda *_: None),
)


@dataclass
class Cloud:
    """The running stand-in for AWS."""

    folder: Path
    url: str = ""
    waiting: deque[tuple[LambdaFunction, Any]] = field(default_factory=deque)
    calls: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """AWS calls by the function that made them."""
    containers: Containers = field(init=False)
    _sessions: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.containers = Containers(folder=self.folder)

    def session(self, account: str, region: str) -> boto3.Session:
        """Return a session of an administrator of an account."""
        sts = self._sts()
        role = f"arn:aws:iam::{account}:role/administrator"
        found = sts.assume_role(RoleArn=role, RoleSessionName="operator")["Credentials"]
        return boto3.Session(
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found["SessionToken"],
            region_name=region,
        )

    def client(self, account: str, region: str, service: str) -> Any:
        """Return an administrator's client."""
        key = (account, region, service)
        if key not in self._clients:
            make: Any = self.session(account, region).client
            self._clients[key] = make(service, endpoint_url=self.url)
        return self._clients[key]

    def _sts(self) -> Any:
        make: Any = boto3.client
        return make("sts", "us-east-1", endpoint_url=self.url, aws_access_key_id="root", aws_secret_access_key="root")

    @contextmanager
    def refusing(self, call: str) -> Iterator[None]:
        """Let a call of API Gateway fail inside, as when somebody pulls the plug."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise RuntimeError("the plug is pulled")

        with patch.object(APIGatewayBackend, call, refuse):
            yield

    def settle(self) -> None:
        """Run asynchronous invocations until none is left, with Lambda's retries."""
        while self.waiting:
            function, event = self.waiting.popleft()
            for _ in range(TRIES):
                answer = self.run(function, event)
                if not answer.failed:
                    break
            else:
                self._give_up(function, event, answer.text)

    def run(self, function: LambdaFunction, event: Any) -> Answer:
        """Hand a function an event once, in its container."""
        arn = function.function_arn
        name = arn.split(":", 3)[3]
        with self._starting:
            container = self.containers.container(
                name, function.code_bytes, function.handler, self._environment(function)
            )
        answer = container.run(event)
        self.calls[function.function_name] += answer.calls
        return answer

    def _environment(self, function: LambdaFunction) -> dict[str, str]:
        arn = function.function_arn
        region = arn.split(":")[3]
        return {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "_HANDLER": function.handler,
            "FUNCTION_ARN": arn,
            **self._credentials(function.role, function.function_name),
            **{name: str(value) for name, value in function.environment_vars.items()},
        }

    def _credentials(self, role: str, session: str) -> dict[str, str]:
        """Return a session of the function's role, named after the function, as Lambda does."""
        if (role, session) not in self._sessions:
            found = self._sts().assume_role(RoleArn=role, RoleSessionName=session)["Credentials"]
            self._sessions[role, session] = {
                "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
                "AWS_SESSION_TOKEN": found["SessionToken"],
            }
        return self._sessions[role, session]

    def _give_up(self, function: LambdaFunction, event: Any, answer: str) -> None:
        config = function.event_invoke_config[-1].response()
        queue = config["DestinationConfig"]["OnFailure"]["Destination"].split(":")
        letter = {
            "version": "1.0",
            "requestContext": {
                "functionArn": f"{function.function_arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": TRIES,
            },
            "requestPayload": event,
            "responsePayload": answer,
        }
        self.client(queue[4], queue[3], "sqs").send_message(
            QueueUrl=f"{self.url}/{queue[4]}/{queue[5]}", MessageBody=json.dumps(letter)
        )


@contextmanager
def running_cloud(folder: Path) -> Iterator[Cloud]:
    """Run the stand-in while the context is open."""
    cloud = Cloud(folder=folder)
    lock = threading.Lock()

    def invoke(self: LambdaFunction, body: Any, request_headers: Any, response_headers: Any) -> Any:
        event = json.loads(body) if body else {}
        if request_headers and request_headers.get("x-amz-invocation-type", "RequestResponse") == "RequestResponse":
            answer = cloud.run(self, event)
            if answer.failed:
                response_headers["x-amz-function-error"] = "Unhandled"
            return answer.text.encode()
        with lock:
            cloud.waiting.append((self, event))
        return b""

    models = parsing.get_model_map()
    originals = dict(models)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    with ExitStack() as stack:
        stack.enter_context(repaired())
        stack.enter_context(patch.object(LambdaFunction, "invoke", invoke))
        stack.enter_context(patch.object(LambdaBackend, "send_sns_message", _send_sns_message))
        for name in ("import_rest_api", "put_rest_api"):
            original = getattr(APIGatewayBackend, name)
            stack.enter_context(patch.object(APIGatewayBackend, name, _taking_swagger(original)))
        stack.enter_context(patch.object(Role, "put_policy", _put_policy))
        stack.enter_context(patch.object(Stack, "stack_parameters", property(_stack_parameters)))
        stack.enter_context(patch.object(Stack, "parameter_list", property(_parameters)))
        models.update({kind: _model(kind, apply) for kind, apply in MODELS})
        moto_api_backend.reset()  # of what other tests of this process left behind
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            cloud.url = f"http://{host}:{port}"
            yield cloud
        finally:
            cloud.containers.stop()
            server.stop()
            models.clear()
            models.update(originals)


def _taking_swagger(original: Any) -> Any:
    def translated(self: APIGatewayBackend, *arguments: Any, **named: Any) -> Any:
        return original(self, *map(_as_openapi, arguments), **{key: _as_openapi(one) for key, one in named.items()})

    return translated


def _as_openapi(value: Any) -> Any:
    if not isinstance(value, dict) or "paths" not in value:
        return value
    document = {name: one for name, one in value.items() if name != "swagger"}
    document["info"] = {"description": "", **document["info"]}
    return document


def _put_policy(self: Role, policy_name: str, policy_json: Any) -> None:
    """CloudFormation hands over a policy as a value, which moto would show as Python writes it."""
    self.policies[policy_name] = policy_json if isinstance(policy_json, str) else json.dumps(policy_json)


def _stack_parameters(self: Stack) -> dict[str, Any]:
    """Lists are told as they were given, with commas."""
    resolved = self.resource_map.resolved_parameters
    return {name: ",".join(value) if isinstance(value, list) else value for name, value in resolved.items()}


def _parameters(self: Stack) -> list[dict[str, Any]]:
    return [{"ParameterKey": name, "ParameterValue": str(value)} for name, value in _stack_parameters(self).items()]


def _send_sns_message(
    self: LambdaBackend, function_name: str, message: str, subject: str | None = None, qualifier: str | None = None
) -> None:
    """Deliver as SNS does; moto's own event names no topic. Each of our topics feeds the function of its name."""
    topic = function_name.rsplit("-", 1)[-1]
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": "",
        "Sns": {
            "Type": "Notification",
            "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
            "TopicArn": f"arn:aws:sns:{self.region_name}:{self.account_id}:{topic}",
            "Subject": subject,
            "Message": message,
            "Timestamp": "2026-01-01T00:00:00.000Z",
            "MessageAttributes": {},
        },
    }
    function = self._lambdas.get_function_by_name_or_arn_with_qualifier(function_name, qualifier)
    function.invoke(json.dumps({"Records": [record]}), {}, {})
