"""The whole system: AWS, Slack and both apps, started and stopped together. What tests, demo and page all use."""

import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moto.core.base_backend import BackendDict
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends

from sandbox.access import AwsAccess
from sandbox.activity import Activity
from sandbox.aws import ask_only, resources
from sandbox.aws.endpoint import AwsEndpoint, QuietMotoHandler
from sandbox.aws.events import scheduled_event
from sandbox.aws.identities import Identities
from sandbox.aws.repairs import repaired
from sandbox.aws.sns import TopicPolicies
from sandbox.deliveries import Deliveries
from sandbox.environments import Environment, Result
from sandbox.errors import SandboxError
from sandbox.faults import Faults
from sandbox.functions import FunctionHost
from sandbox.invocations import DeadLetter, Invoker
from sandbox.schedules import Schedules
from sandbox.serving import ServerThread
from sandbox.settings import (
    APPROVAL_CHANNEL,
    MONITORING_CHANNEL,
    SandboxSettings,
    role_of,
)
from sandbox.slack.clicks import Clicker, ClickResult, ClickSettings
from sandbox.slack.server import SlackServer
from sandbox.slack.workspace import Message, SlackUser, SlackWorkspace
from sandbox.timeline import Timeline
from sandbox.wiring import Function, Wiring
from shared.policy.loading import PolicyFileError, read_policy_file

#: Run once after the start, as the deploy does: it adopts the rules that are there as approved.
RUN_AFTER_START = "snapshotSecurityGroups"
#: The functions whose processes are started first; the other ones start when they are needed, as in Lambda.
FIRST_FUNCTIONS = {"central": "securityGroupChange", "member": "revertSecurityGroup"}
LOG_LINES_KEPT = 5_000


class Sandbox:
    """A context manager: inside it everything runs, afterwards nothing is left.

    Only one at a time in a process, since moto keeps its state in module-level values.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        """Prepare a sandbox; nothing runs yet."""
        self.settings = settings or SandboxSettings()
        self.timeline = Timeline()
        self.activity = Activity()
        self.faults = Faults()
        self.identities = Identities()
        self.slack = SlackWorkspace((APPROVAL_CHANNEL, MONITORING_CHANNEL), self.settings.users, self.timeline)
        self.log_lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        """What the apps printed, each line with app, account and region in front."""
        self._endpoint = AwsEndpoint(self.identities)
        self._slack_server = SlackServer(self.slack, self.faults, self.timeline)
        self._invoker = Invoker(self._run, self.timeline, self.activity, self.settings.retry_delays_seconds)
        self._hosts: dict[tuple[str, str, str], FunctionHost] = {}
        self._stack = ExitStack()
        self.aws = AwsAccess(self.settings, self.identities, lambda: self.aws_url)
        """Clients, tables and groups of the accounts."""

    # -- start and stop -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        self._stack.enter_context(repaired())
        BackendDict.reset()
        self._stack.callback(BackendDict.reset)
        self._aws_server = self._stack.enter_context(
            ServerThread(
                self._endpoint,
                port=self.settings.aws_port,
                what="the AWS endpoint",
                option="--aws-port",
                handler=QuietMotoHandler,
            )
        )
        self._slack_http = self._stack.enter_context(
            ServerThread(self._slack_server, port=0, what="the Slack stand-in", option="a free port")
        )
        self._stack.callback(self._slack_server.stop)
        policy_file = self._policy_file()
        self._create_tables()
        self._start_hosts({"policyFile": str(policy_file)})
        self._wire()
        self._adopt()

    def change_policy(self, settings: SandboxSettings) -> None:
        """Replace the sandbox's own policy by that of other settings; the apps read the file at their next event.

        Raises:
            SandboxError: where the policy is a file of the user's own.
        """
        if self.settings.policy_file is not None:
            raise SandboxError(
                "The story needs the sandbox's own policy. Start the sandbox without --policy to play it."
            )
        self._own_policy.write_text(settings.policy_text(), encoding="utf-8")

    def _policy_file(self) -> Path:
        if self.settings.policy_file is not None:
            try:
                read_policy_file(self.settings.policy_file)
            except PolicyFileError as error:
                raise SandboxError(f"{error} “python -m shared.policy check” says more.") from error
            return self.settings.policy_file.resolve()
        try:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))
            self._own_policy = Path(folder) / "policy.toml"
            self.change_policy(self.settings)
            return self._own_policy
        except OSError as error:
            raise SandboxError(
                f"No folder for temporary files can be written ({error.strerror}). Set TMPDIR to one that can."
            ) from error

    def _places(self) -> list[tuple[str, str]]:
        settings = self.settings
        members = [(member.id, region) for member in settings.members for region in settings.regions]
        return [(settings.central_account, settings.central_region), *members]

    def _create_tables(self) -> None:
        settings = self.settings
        resources.create_requests_table(
            self.aws.operator("dynamodb", settings.central_account, settings.central_region)
        )
        for member in settings.members:
            for region in settings.regions:
                resources.create_state_table(self.aws.operator("dynamodb", member.id, region))

    def _start_hosts(self, common: Mapping[str, str]) -> None:
        settings = self.settings
        central = settings.central_environment(
            approval_hook=self.slack_url + self._slack_server.webhook_path(APPROVAL_CHANNEL),
            monitoring_hook=self.slack_url + self._slack_server.webhook_path(MONITORING_CHANNEL),
        )
        self._add_host(
            "central",
            settings.central_app,
            settings.central_account,
            settings.central_region,
            {**common, **central},
        )
        for member in settings.members:
            for region in settings.regions:
                environment = {**common, **settings.member_environment(member)}
                self._add_host("member", settings.member_app, member.id, region, environment)
        for host in self._hosts.values():
            host.begin(FIRST_FUNCTIONS[host.app])
        for host in self._hosts.values():
            host.wait_until_ready()

    def _add_host(self, app: str, folder: Path, account: str, region: str, environment: Mapping[str, str]) -> None:
        if not (folder / "app.py").is_file():
            raise SandboxError(f"There is no app in {folder}: app.py is missing.")
        host = FunctionHost(
            app=app,
            folder=folder,
            account=account,
            region=region,
            settings={
                "AWS_ENDPOINT_URL": self.aws_url,
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                **environment,
            },
            role_of=lambda function: role_of(folder, app, function),
            new_credentials=lambda role, function: self.identities.session(account, role, f"{app}-dev-{function}"),
            concurrency=self.settings.concurrency,
            timeout_seconds=self.settings.function_timeout_seconds,
            log=lambda line: self.log_lines.append(f"{app} {account} {region} {line}"),
        )
        self._hosts[app, account, region] = host
        self._stack.callback(host.close)

    def _wire(self) -> None:
        wiring = self.wiring = Wiring([host.deployment for host in self._hosts.values()])
        for arn in wiring.topics():
            _, _, _, region, account, name = arn.split(":")
            resources.create_topic(self.aws.operator("sns", account, region), name)
        self._endpoint.guards.append(TopicPolicies(self.settings.publishers()).guard)
        self._endpoint.guards.append(ask_only.refuse)
        self._deliveries = Deliveries(
            wiring=wiring,
            invoker=self._invoker,
            timeline=self.timeline,
            faults=self.faults,
            environment_of=self._environment_of,
        )
        self._endpoint.observers.append(self._deliveries.on_call)
        self._clicker = Clicker(
            self.slack,
            ClickSettings(
                request_url=self._request_url,
                slack_url=lambda: self.slack_url,
                signing_secret=self.settings.signing_secret,
                verification_token=self.settings.verification_token,
            ),
            self.timeline,
        )
        if self.settings.schedules_run_by_themselves:
            self._stack.enter_context(Schedules(wiring.scheduled(), self._run_scheduled_later))

    # -- looking ---------------------------------------------------------------------------

    @property
    def aws_url(self) -> str:
        """Where all AWS APIs answer."""
        return self._aws_server.url

    @property
    def slack_url(self) -> str:
        """Base address of the Slack stand-in."""
        return self._slack_http.url

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """The newest events that CloudTrail made, oldest first."""
        return tuple(self._deliveries.events)

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """What is out of retries."""
        return self._invoker.dead_letters

    # -- acting ---------------------------------------------------------------------------------------------

    def wait_until_idle(self, timeout_seconds: float = 60.0) -> None:
        """Return once no event, delivery or function is in flight."""
        self.activity.wait_until_idle(timeout_seconds)

    def click(self, user: SlackUser, message: Message, button_text: str) -> ClickResult:
        """Let a Slack user click a message's button."""
        with self.activity.during(f"click {button_text}"):
            return self._clicker.click(user, message, button_text)

    def forge_click(self, user: SlackUser, message: Message, button_text: str) -> ClickResult:
        """Send the same request as a click would, signed with a wrong secret."""
        payload = self._clicker.payload(user, message, button_text)
        return self._clicker.send(payload, signing_secret="a-guess")

    def run_schedule(self, name: str, *, account: str | None = None, region: str | None = None) -> list[Result]:
        """Run a scheduled function now, by default in every account and region, and wait for it.

        Raises:
            SandboxError: when it fails, with its error.
        """
        results = []
        for function, _ in self.wiring.scheduled(name):
            if account in (None, function.account) and region in (None, function.region):
                result = self._invoker.invoke_now(function, _tick(function), trigger="schedule")
                if result.error:
                    raise SandboxError(f"{name} in {function.account} {function.region}: {result.error}")
                results.append(result)
        return results

    def start_afresh(self) -> None:
        """Empty accounts and channels; processes and identities stay, so that pasted credentials keep working.

        Raises:
            NotIdleError: when what is under way does not end.
        """
        self.faults.clear()
        self.wait_until_idle()
        for account, region in self._places():
            ec2_backends[account][region].reset()
            dynamodb_backends[account][region].reset()
        self._create_tables()
        self.slack.clear()
        self._invoker.forget_dead_letters()
        self._deliveries.events.clear()
        self._adopt()

    def redrive(self) -> int:
        """Hand all dead letters to their functions again; returns how many there were."""
        return self._invoker.redrive()

    def deliver_again(self, event: dict[str, Any]) -> None:
        """Deliver an event of CloudTrail once more."""
        self._deliveries.deliver_again(event)

    def _adopt(self) -> None:
        """Let the members adopt their regions, and wait until central has announced it."""
        self.run_schedule(RUN_AFTER_START)
        self.wait_until_idle()

    def _run(self, function: Function, event: Mapping[str, Any], request_id: str) -> Result:
        host = self._hosts[function.app, function.account, function.region]
        return host.invoke(function, event, request_id)

    def _run_scheduled_later(self, function: Function) -> None:
        self._invoker.invoke_later(function, _tick(function), trigger="schedule")

    def _environment_of(self, access_key_id: str) -> Environment | None:
        for host in self._hosts.values():
            environment = host.environment_of(access_key_id)
            if environment is not None:
                return environment
        return None

    def _request_url(self) -> str:
        """Return the address that Slack sends clicks to: the only POST route that the central app declares."""
        settings = self.settings
        host = self._hosts["central", settings.central_account, settings.central_region]
        paths = [route.path for route in host.deployment.declarations.routes if route.method == "POST"]
        if len(paths) != 1:
            raise SandboxError(f"Slack has one request URL, the central app {len(paths)} POST routes.")
        return host.url + paths[0]


def _tick(function: Function) -> dict[str, Any]:
    rule = f"{function.app}-dev-{function.name}-event"
    return scheduled_event(account=function.account, region=function.region, rule=rule)
