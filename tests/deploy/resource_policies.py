"""Decides, as IAM does, what the resource policies of a template say to a request: enough of IAM for these policies.

Above all what goes wrong by reading too fast: a condition on a key that a request does not carry is false, and true
where its operator is negated. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from deploy.names import App
from deploy.templates import foundation

Verdict = Literal["allowed", "denied", "not allowed"]
"""``denied`` explicitly: then no policy of the caller's own helps. ``not allowed``: in the same account one might."""

_EQUAL: Callable[[str, str], bool] = lambda value, wanted: value == wanted  # noqa: E731 - a row of the table below
_LIKE: Callable[[str, str], bool] = fnmatchcase
_OPERATORS: Final[Mapping[str, tuple[Callable[[str, str], bool], bool]]] = {
    "StringEquals": (_EQUAL, False),
    "StringLike": (_LIKE, False),
    "StringNotEquals": (_EQUAL, True),
    "ArnEquals": (_LIKE, False),
    "ArnLike": (_LIKE, False),
    "ArnNotEquals": (_LIKE, True),
    "ArnNotLike": (_LIKE, True),
    "Bool": (_EQUAL, False),
}


class Deployed:
    """A template with its parameters filled in."""

    def __init__(self, app: App, account: str, region: str, **parameters: str) -> None:
        template = foundation(app)
        self.values: dict[str, Any] = {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws"}
        for name, one in template["Parameters"].items():
            text = parameters.get(name, str(one.get("Default", "")))
            self.values[name] = text.split(",") if one["Type"] == "CommaDelimitedList" else text
        for name, one in template["Resources"].items():
            self.values[name] = self.values[f"{name}.Arn"] = self._arn(one)
        self._conditions = template["Conditions"]
        self.resources = template["Resources"]

    def verdict(self, policy: str, action: str, who: Mapping[str, str], *, key: str = "PolicyDocument") -> Verdict:
        """Return what a policy says to an action.

        Args:
            policy: logical id of the resource that has the policy.
            action: e.g. ``sns:Publish``.
            who: the request's context: condition keys, and ``service`` for a service principal.
            key: the property that the policy is.
        """
        statements = self._resolved(self.resources[policy]["Properties"][key])["Statement"]
        effects = {one["Effect"] for one in statements if self._applies(one, action, who)}
        return "denied" if "Deny" in effects else "allowed" if "Allow" in effects else "not allowed"

    def _applies(self, statement: Mapping[str, Any], action: str, who: Mapping[str, str]) -> bool:
        return (
            any(fnmatchcase(action, one) for one in _listed(statement["Action"]))
            and _is_principal(statement["Principal"], who)
            and all(_holds(operator, keys, who) for operator, keys in statement.get("Condition", {}).items())
        )

    def _arn(self, resource: Mapping[str, Any]) -> str:
        service, name = {
            "AWS::SNS::Topic": ("sns", "TopicName"),
            "AWS::SQS::Queue": ("sqs", "QueueName"),
            "AWS::IAM::Role": ("iam", "RoleName"),
        }.get(resource["Type"], ("", ""))
        if not service:
            return resource["Type"]
        text = self._resolved(resource["Properties"][name])
        where = (
            ("", self.values["AWS::AccountId"])
            if service == "iam"
            else (self.values["AWS::Region"], self.values["AWS::AccountId"])
        )
        return ":".join(("arn:aws", service, *where, f"role/{text}" if service == "iam" else text))

    def _resolved(self, value: Any) -> Any:
        match value:
            case {"Ref": name}:
                return self.values[name]
            case {"Fn::GetAtt": path}:
                return self.values[".".join(path)]
            case {"Fn::Sub": text}:
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self.values[found[1]]), text)
            case {"Fn::If": [condition, yes, no]}:
                return self._resolved(yes if self._is_true(self._conditions[condition]) else no)
            case dict():
                return {name: self._resolved(one) for name, one in value.items()}
            case list():
                return [self._resolved(one) for one in value]
        return value

    def _is_true(self, condition: Mapping[str, Any]) -> bool:
        match condition:
            case {"Fn::Not": [inner]}:
                return not self._is_true(inner)
            case {"Fn::Equals": [one, other]}:
                return bool(self._resolved(one) == self._resolved(other))
        raise AssertionError(f"unknown condition {condition}")


def _is_principal(principal: Any, who: Mapping[str, str]) -> bool:
    """Tell whether a statement means the caller; a bare account id means everybody of the account."""
    if principal == "*" or (principal.get("AWS") == "*" and "service" not in who):
        return True
    if "service" in who:
        return who["service"] in _listed(principal.get("Service"))
    accounts = [one.split(":")[4] if one.startswith("arn:") else one for one in _listed(principal.get("AWS"))]
    return who.get("aws:PrincipalAccount") in accounts


def _holds(operator: str, keys: Mapping[str, Any], who: Mapping[str, str]) -> bool:
    compare, negated = _OPERATORS[operator]
    return all(
        negated if key not in who else any(compare(who[key], one) for one in _listed(wanted)) != negated
        for key, wanted in keys.items()
    )


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
