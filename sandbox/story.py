"""The demo: plays the product's story by real API calls and clicks, and checks every step.

Each step describes the group and reads the table afterwards; what does not hold ends the story with what was
expected and what was seen. How lines look is in ``terminal.py``, what steps mean in ``narration.py``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from sandbox.activity import NotIdleError
from sandbox.narration import Narrator
from sandbox.settings import (
    APPROVAL_CHANNEL,
    APPROVER,
    MONITORING_CHANNEL,
    OUTSIDER,
    SHOP,
    SandboxSettings,
)
from sandbox.slack.text import lines_of
from sandbox.slack.workspace import Message
from sandbox.system import Sandbox
from sandbox.terminal import Terminal
from sandbox.timeline import Entry

#: Two accounts and one region are enough for the story.
SETTINGS = SandboxSettings(members=(SHOP,), regions=("eu-west-1",), aws_port=0, schedules_run_by_themselves=False)
QUIET_SECONDS = 20.0

#: A rule as the story compares it: protocol, ports, source, description.
Shown = tuple[str, int, int, str, str]
WEBSITE: Shown = ("tcp", 443, 443, "0.0.0.0/0", "public website")
OFFICE: Shown = ("tcp", 22, 22, "10.20.0.0/16", "office")
WORLD: Shown = ("tcp", 22, 22, "0.0.0.0/0", "quick fix")
MOVED: Shown = ("tcp", 8443, 8443, "0.0.0.0/0", "website, new port")
DATABASE: Shown = ("tcp", 5432, 5432, "10.30.0.0/16", "reports")


class StoryError(Exception):
    """A step did not happen as it should; it has been printed already."""


@dataclass(slots=True)
class Story:
    """The steps, printed on a terminal."""

    sandbox: Sandbox
    terminal: Terminal
    group: str = ""
    _narrator: Narrator = field(default_factory=Narrator)
    _step_began: float = 0.0

    def play(self) -> None:
        """Play all steps; raises :class:`StoryError` at the first check that fails."""
        stop = self.sandbox.timeline.listen(self._show)
        before = self.sandbox.settings
        try:
            self.sandbox.change_policy(replace(before, policy={}, policy_rules=""))  # the steps tell of this one
            self._prepare()
            self._addition_approved()
            self._removal_denied()
            self._edit_approved()
            self._duplicate_fails()
            self._forgery_refused()
        finally:
            self.sandbox.change_policy(before)
            stop()

    def _prepare(self) -> None:
        self._begin(0, "The start: a group with approved rules")
        self.terminal.say(
            "Both apps have just been deployed. The first snapshot of each region counts the rules that are there as "
            "approved (it adopts the region), and the monitoring channel says so."
        )
        adoption = self._adoption()
        self._check(f"#{MONITORING_CHANNEL} announces the adoption", True, bool(adoption))
        self.terminal.message(f"#{MONITORING_CHANNEL}", lines_of(adoption[0], self.sandbox.slack.users))
        self.terminal.say(
            "In the account shop a deployment pipeline makes the group web. "
            "The policy exempts its role, so the rules stay and count as approved."
        )
        ec2 = self.sandbox.aws.ec2(SHOP, who="ci")
        self.group = ec2.create_security_group(GroupName="web", Description="Web servers")["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=self.group, IpPermissions=[_permission(WEBSITE), _permission(OFFICE)]
        )
        self._quiet()
        self._check_rules("the group has its two rules", {WEBSITE, OFFICE})
        self._check("nobody was asked", [], self.sandbox.aws.requests())

    def _addition_approved(self) -> None:
        self._begin(1, "An addition, approved")
        self.terminal.say("The IAM user alice opens SSH to the whole world.")
        answer = self.sandbox.aws.ec2(SHOP).authorize_security_group_ingress(
            GroupId=self.group, IpPermissions=[_permission(WORLD)]
        )
        request, question = self._asked(answer, "the rule is gone again", {WEBSITE, OFFICE}, "Approve Add")
        self._decide(question, "Approve Add")
        self._check_result(question, request, "applied")
        self._check_rules("the rule is there, exactly as asked for", {WEBSITE, OFFICE, WORLD})

    def _removal_denied(self) -> None:
        self._begin(2, "A removal, denied")
        self.terminal.say(
            "ada@example.com, signed in by IAM Identity Center, deletes the website's rule in the console, "
            "which calls RevokeSecurityGroupIngress with the rule's id."
        )
        answer = self.sandbox.aws.ec2(SHOP, who="sso").revoke_security_group_ingress(
            GroupId=self.group, SecurityGroupRuleIds=[self._rule_id(WEBSITE)]
        )
        everything = {WEBSITE, OFFICE, WORLD}
        request, question = self._asked(answer, "the rule is back", everything, "Approve Remove")
        self._decide(question, "Deny")
        self._check_result(question, request, "denied")
        self._check_rules("the rule stays", everything)

    def _edit_approved(self) -> None:
        self._begin(3, "An edit, approved")
        self.terminal.say(
            "ada@example.com moves the website to another port with “Edit inbound rules”, "
            "which calls ModifySecurityGroupRules."
        )
        rule_id = self._rule_id(WEBSITE)
        answer = self.sandbox.aws.ec2(SHOP, who="sso").modify_security_group_rules(
            GroupId=self.group,
            SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": _values(MOVED)}],
        )
        everything = {WEBSITE, OFFICE, WORLD}
        request, question = self._asked(answer, "the rule is as before", everything, "Approve Change")
        self._check("it kept its id", rule_id, self._rule_id(WEBSITE))
        self._decide(question, "Approve Change")
        self._check_result(question, request, "applied")
        self._check_rules("the rule has its new values", {MOVED, OFFICE, WORLD})
        self._check("it kept its id", rule_id, self._rule_id(MOVED))

    def _duplicate_fails(self) -> None:
        self._begin(4, "An approval that comes too late")
        self.terminal.say(
            "alice asks for the reports database; before anybody decides, the pipeline adds the same rule. "
            "Applying it once more must fail, and both channels must show that."
        )
        permissions = [_permission(DATABASE)]
        answer = self.sandbox.aws.ec2(SHOP).authorize_security_group_ingress(
            GroupId=self.group, IpPermissions=permissions
        )
        request, question = self._asked(answer, "the rule is gone again", {MOVED, OFFICE, WORLD}, "Approve Add")
        self.sandbox.aws.ec2(SHOP, who="ci").authorize_security_group_ingress(
            GroupId=self.group, IpPermissions=permissions
        )
        self._quiet()
        self._decide(question, "Approve Add")
        self._check_result(question, request, "error")
        self._check_rules("the pipeline's rule is untouched", {MOVED, OFFICE, WORLD, DATABASE})

    def _forgery_refused(self) -> None:
        self._begin(5, "Two attempts to decide without the right to")
        self.terminal.say("alice closes SSH to the office. Mallory, who is not an approver, wants it closed.")
        answer = self.sandbox.aws.ec2(SHOP).revoke_security_group_ingress(
            GroupId=self.group, SecurityGroupRuleIds=[self._rule_id(OFFICE)]
        )
        everything = {MOVED, OFFICE, WORLD, DATABASE}
        request, question = self._asked(answer, "the rule is back", everything, "Approve Remove")
        forged = self.sandbox.forge_click(OUTSIDER, question, "Approve Remove")
        self._quiet()
        self._check("a request that Slack did not sign is refused with 401", 401, forged.status)
        self._check_status(request, "pending")
        self.sandbox.click(OUTSIDER, question, "Approve Remove")
        self._quiet()
        notes = self.sandbox.slack.notes(APPROVAL_CHANNEL, user=OUTSIDER.id)
        self._check("Mallory's own click is answered with a message that only Mallory sees", 1, len(notes))
        self.terminal.message("only visible to Mallory", lines_of(notes[-1], self.sandbox.slack.users))
        self._check_status(request, "pending")
        self._check_rules("the group is as it was", everything)

    # -- parts of steps -------------------------------------------------------------------------------------

    def _begin(self, number: int, text: str) -> None:
        self._step_began = time.time()
        self.terminal.heading(number, text)

    def _show(self, entry: Entry) -> None:
        self.terminal.line((entry.at - self._step_began) * 1000, self._narrator.read(entry))

    def _quiet(self) -> None:
        try:
            self.sandbox.wait_until_idle(QUIET_SECONDS)
        except NotIdleError as error:
            self._fail("everything ends", expected="nothing running", seen=error)
        letters = [f"{letter.function.name}: {letter.error}" for letter in self.sandbox.dead_letters]
        if letters:
            self._fail("no function gives up", expected="no dead letter", seen="; ".join(letters))

    def _asked(self, answer: dict[str, Any], what: str, rules: set[Shown], button: str) -> tuple[str, Message]:
        """Check that a change was reverted and asked; return its request id and the question."""
        request = str(answer["ResponseMetadata"]["RequestId"])
        self._quiet()
        exposed = self._narrator.changes[request].exposed_ms
        after = "but by no call that reverted it" if exposed is None else f"after {exposed:.0f} ms"
        self._check_rules(f"{what}, {after}", rules)
        return request, self._question(request, button)

    def _adoption(self) -> list[Message]:
        """Return the messages about the adoption of the story's account and region."""
        place = f"Region {self.sandbox.settings.regions[0]} of account {SHOP.id} was adopted"
        messages = self.sandbox.slack.messages(MONITORING_CHANNEL)
        return [one for one in messages if place in "\n".join(lines_of(one, self.sandbox.slack.users))]

    def _question(self, request: str, button: str) -> Message:
        self._check_status(request, "pending")
        waiting = [
            message for message in self.sandbox.slack.messages(APPROVAL_CHANNEL) if button in message.button_texts()
        ]
        self._check(f"Slack asks, with a button “{button}”", True, bool(waiting))
        self.terminal.message(f"#{APPROVAL_CHANNEL}", lines_of(waiting[-1], self.sandbox.slack.users))
        return waiting[-1]

    def _decide(self, question: Message, button: str) -> None:
        self.terminal.say(f"{APPROVER.name}, an approver, clicks “{button}”.")
        result = self.sandbox.click(APPROVER, question, button)
        self._check("Slack gets its answer within three seconds", (200, True), (result.status, result.in_time))
        self._quiet()

    def _check_status(self, request: str, expected: str) -> None:
        item = self.sandbox.aws.request(request) or {}
        self._check(f"the table says {expected}", expected, item.get("status", "no such request"))

    def _check_rules(self, text: str, expected: set[Shown]) -> None:
        seen = {_shown(rule) for rule in self.sandbox.aws.rules(SHOP, self.group)}
        self._check(text, _sorted(expected), _sorted(seen))

    def _check_result(self, question: Message, request: str, status: str) -> None:
        """Check that a request has a status, that its question shows it, and that the other channel has both."""
        self._check_status(request, status)
        result = self.sandbox.slack.message(APPROVAL_CHANNEL, question.ts)
        self._check("the question shows the result, its buttons are gone", [], result.button_texts())
        users = self.sandbox.slack.users
        asked = lines_of(question, users)
        news = [line for line in lines_of(result, users) if line not in asked]
        self.terminal.message(f"#{APPROVAL_CHANNEL}, the same message now", news)
        heard = [
            message
            for message in self.sandbox.slack.messages(MONITORING_CHANNEL)
            if request in "\n".join(lines_of(message, users))
        ]
        self._check(f"#{MONITORING_CHANNEL} has a message for the question and one for the result", 2, len(heard))

    def _rule_id(self, wanted: Shown) -> str:
        ids = {_shown(rule): str(rule["SecurityGroupRuleId"]) for rule in self.sandbox.aws.rules(SHOP, self.group)}
        if wanted not in ids:
            self._fail("the group has the rule", expected=_sorted({wanted}), seen=_sorted(set(ids)))
        return ids[wanted]

    def _check(self, text: str, expected: object, seen: object) -> None:
        if expected != seen:
            self._fail(text, expected=expected, seen=seen)
        self.terminal.passed(text)

    def _fail(self, text: str, *, expected: object, seen: object) -> NoReturn:
        self.terminal.failed(text, expected=expected, seen=seen)
        raise StoryError(text)


def play_demo(terminal: Terminal, *, open_sandbox: Callable[[], Sandbox] = lambda: Sandbox(SETTINGS)) -> bool:
    """Start a sandbox, play the story, stop; returns whether every step happened."""
    began = time.perf_counter()
    terminal.title("Security group approval: the whole story on this machine")
    terminal.say("Starting two AWS accounts (moto), a Slack stand-in and both apps …")
    with open_sandbox() as sandbox:
        terminal.say(f"Everything runs after {time.perf_counter() - began:.1f} s.")
        try:
            Story(sandbox, terminal).play()
        except StoryError:
            terminal.blank()
            terminal.say("The story ends here: the step above did not happen as it should. The apps' last log lines:")
            terminal.code(list(sandbox.log_lines)[-20:])
            return False
    terminal.blank()
    terminal.title(f"Every step happened, and was checked. {time.perf_counter() - began:.1f} s in all.")
    terminal.say("To try it by hand, in a browser and with a real AWS CLI: make sandbox")
    return True


def _permission(rule: Shown) -> dict[str, Any]:
    protocol, start, end, cidr, description = rule
    ranges = [{"CidrIp": cidr, "Description": description}]
    return {"IpProtocol": protocol, "FromPort": start, "ToPort": end, "IpRanges": ranges}


def _values(rule: Shown) -> dict[str, Any]:
    protocol, start, end, cidr, description = rule
    return {
        "IpProtocol": protocol,
        "FromPort": start,
        "ToPort": end,
        "CidrIpv4": cidr,
        "Description": description,
    }


def _shown(rule: dict[str, Any]) -> Shown:
    return (
        rule["IpProtocol"],
        rule["FromPort"],
        rule["ToPort"],
        rule.get("CidrIpv4", ""),
        rule.get("Description", ""),
    )


def _sorted(rules: set[Shown]) -> list[str]:
    return sorted(f"{protocol} {start}-{end} {source} “{words}”" for protocol, start, end, source, words in rules)
