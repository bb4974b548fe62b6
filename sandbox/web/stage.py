"""Everything that the page shows and does: the sandbox with its groups, the parts of the page, the feed."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.activity import NotIdleError
from sandbox.aws.identities import Credentials
from sandbox.errors import SandboxError
from sandbox.story import Story, StoryError
from sandbox.system import Sandbox
from sandbox.terminal import Terminal
from sandbox.web.body import Body
from sandbox.web.channels import Channels
from sandbox.web.console import IDENTITIES, Console
from sandbox.web.controls import KILLABLE_FUNCTIONS, SCHEDULES, Controls
from sandbox.web.feed import Feed

Json = dict[str, Any]
#: Name, description and rules (protocol, port, CIDR, description) of the groups to play with.
GROUPS: tuple[tuple[str, str, tuple[tuple[str, int, str, str], ...]], ...] = (
    (
        "frontend",
        "Load balancers of the website",
        (("tcp", 443, "0.0.0.0/0", "public website"), ("tcp", 80, "0.0.0.0/0", "redirect to https")),
    ),
    (
        "backend",
        "Application servers",
        (("tcp", 8080, "10.20.0.0/16", "from the frontend"), ("tcp", 22, "10.8.0.0/24", "office VPN")),
    ),
    ("batch", "Nightly jobs, no inbound rules yet", ()),
)


class Stage:
    """A sandbox, the parts of its page, and its reset."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Prepare the page of a running sandbox: makes the groups, then begins to listen."""
        self.sandbox = sandbox
        self.console = Console(sandbox)
        self.channels = Channels(sandbox)
        self.controls = Controls(sandbox)
        self.feed = Feed(sandbox.timeline)
        self._busy = threading.Lock()
        make_groups(sandbox)
        self.feed.begin()

    def overview(self) -> Json:
        """Return what does not change: accounts, regions, people, and the lines to paste into a shell."""
        settings = self.sandbox.settings
        return {
            "awsUrl": self.sandbox.aws_url,
            "regions": list(settings.regions),
            "accounts": [
                {
                    "id": member.id,
                    "name": member.name,
                    "mode": settings.mode_of(member),
                    "shell": {
                        who: shell_lines(self.sandbox.aws_url, self.sandbox.aws.credentials(member.id, who))
                        for who in ("user", "sso", "asker")
                    },
                }
                for member in settings.members
            ],
            "identities": IDENTITIES,
            "users": [
                {"id": user.id, "username": user.username, "name": user.name, "approver": user.is_approver}
                for user in settings.users
            ],
            "channels": {channel.id: channel.name for channel in self.sandbox.slack.channels.values()},
            "functions": list(KILLABLE_FUNCTIONS),
            "schedules": list(SCHEDULES),
            "began": self.sandbox.timeline.began,
        }

    def start_afresh(self, _body: Body) -> Json:
        """Reset: empty everything and make the groups again."""
        with self._alone():
            self._empty()
        return {}

    def play_story(self, _body: Body) -> Json:
        """Empty everything, since the story begins with an empty table, then play it."""
        with self._alone():
            self._empty()
            self.seed_story()
        return {}

    def seed_story(self) -> None:
        """Play the demo's story in the empty sandbox, so that the page has content."""
        try:
            Story(self.sandbox, Terminal(io.StringIO())).play()
        except StoryError as error:
            raise SandboxError(f"The demo's story stopped: {error}.") from error

    def _empty(self) -> None:
        self.feed.pause()
        try:
            self.sandbox.start_afresh()
            self.channels.forget()
            make_groups(self.sandbox)
        except NotIdleError as error:
            raise SandboxError(f"Something is still running, so nothing was emptied. {error}") from error
        finally:
            self.feed.begin()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise SandboxError("The sandbox is still busy with an earlier reset or story.")
        try:
            yield
        finally:
            self._busy.release()


def make_groups(sandbox: Sandbox) -> None:
    """Make the groups to play with in every member account and region, as the exempt pipeline role."""
    for member in sandbox.settings.members:
        for region in sandbox.settings.regions:
            ec2 = sandbox.aws.ec2(member, who="ci", region=region)
            for name, description, rules in GROUPS:
                group = ec2.create_security_group(GroupName=name, Description=description)["GroupId"]
                permissions = [
                    {
                        "IpProtocol": protocol,
                        "FromPort": port,
                        "ToPort": port,
                        "IpRanges": [{"CidrIp": cidr, "Description": words}],
                    }
                    for protocol, port, cidr, words in rules
                ]
                if permissions:
                    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
    sandbox.wait_until_idle()


def shell_lines(aws_url: str, credentials: Credentials) -> list[str]:
    """Write the shell lines that make the ``aws`` command line speak to the sandbox as an identity."""
    token = credentials.session_token
    return [
        f"export AWS_ENDPOINT_URL={aws_url}",
        f"export AWS_ACCESS_KEY_ID={credentials.access_key_id}",
        f"export AWS_SECRET_ACCESS_KEY={credentials.secret_access_key}",
        f"export AWS_SESSION_TOKEN={token}" if token else "unset AWS_SESSION_TOKEN",
    ]
