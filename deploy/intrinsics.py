"""Works out what CloudFormation's functions in a template stand for, as far as the foundation's policies use them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from deploy.names import Place

_REFERENCE: Final = re.compile(r"\$\{([^}]+)\}")
_NAMED: Final = {
    "AWS::SNS::Topic": ("sns", "TopicName"),
    "AWS::SQS::Queue": ("sqs", "QueueName"),
    "AWS::IAM::Role": ("iam", "RoleName"),
}
"""Types whose resources have fixed names, so that their ARNs are known."""


class Resolver:
    """The values of a deployed template.

    Args:
        template: as :func:`deploy.templates.foundation` returns it.
        place: where it is deployed.
        parameters: values of its parameters; others have their defaults.
    """

    def __init__(self, template: Mapping[str, Any], place: Place, parameters: Mapping[str, str]) -> None:
        self._place, self._template = place, template
        self._values: dict[str, Any] = {
            "AWS::AccountId": place.account,
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
        }
        for name, one in template["Parameters"].items():
            value = parameters.get(name, str(one.get("Default", "")))
            self._values[name] = value.split(",") if one["Type"] == "CommaDelimitedList" else value
        for name, one in template["Resources"].items():
            if one["Type"] in _NAMED:
                self._values[name] = self._values[f"{name}.Arn"] = self._arn(one)

    def resolved(self, value: Any) -> Any:
        """Return a part of the template with every function replaced by what it stands for.

        Raises:
            KeyError: for a reference to what has no fixed name, or a function that no policy uses.
        """
        match value:
            case {"Ref": name}:
                return self._values[name]
            case {"Fn::GetAtt": path}:
                return self._values[".".join(path)]
            case {"Fn::Sub": text}:
                return _REFERENCE.sub(lambda found: str(self._values[found[1]]), text)
            case {"Fn::If": [condition, yes, no]}:
                return self.resolved(yes if self.holds(condition) else no)
            case dict():
                return {name: self.resolved(one) for name, one in value.items()}
            case list():
                return [self.resolved(one) for one in value]
        return value

    def holds(self, condition: str) -> bool:
        """Say whether a condition of the template holds; ``""`` always does."""
        return not condition or self._holds(self._template["Conditions"][condition])

    def _arn(self, resource: Mapping[str, Any]) -> str:
        service, key = _NAMED[resource["Type"]]
        name = self.resolved(resource["Properties"][key])
        if service == "iam":
            return f"arn:{self._place.partition}:iam::{self._place.account}:role/{name}"
        return self._place.arn(service, name)

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        match condition:
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::Equals": [one, other]}:
                return bool(self.resolved(one) == self.resolved(other))
        raise KeyError(next(iter(condition)))
