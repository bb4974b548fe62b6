"""List prices of AWS in us-east-1. They change: check the pages before you rely on them.

Prices are in USD, without free tiers and without taxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AS_OF: Final = "2025, us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit costs.

    Attributes:
        usd: for one unit.
        unit: e.g. ``GB-second``.
        page: where AWS says so.
    """

    usd: float
    unit: str
    page: str


_LAMBDA: Final = "https://aws.amazon.com/lambda/pricing/"
_DYNAMODB: Final = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_CLOUDWATCH: Final = "https://aws.amazon.com/cloudwatch/pricing/"
_KMS: Final = "https://aws.amazon.com/kms/pricing/"

PRICES: Final[dict[str, Price]] = {
    "Lambda, arm64": Price(usd=0.0000133334, unit="GB-second", page=_LAMBDA),
    "Lambda, requests": Price(usd=0.20e-6, unit="request", page=_LAMBDA),
    "API Gateway, REST": Price(usd=3.50e-6, unit="request", page="https://aws.amazon.com/api-gateway/pricing/"),
    "SNS": Price(usd=0.50e-6, unit="publish of up to 64 KB", page="https://aws.amazon.com/sns/pricing/"),
    "EventBridge": Price(usd=0.0, unit="event of an AWS service", page="https://aws.amazon.com/eventbridge/pricing/"),
    "DynamoDB, writes": Price(usd=0.625e-6, unit="write request unit (1 KB)", page=_DYNAMODB),
    "DynamoDB, reads": Price(usd=0.125e-6, unit="read request unit (4 KB, consistent)", page=_DYNAMODB),
    "DynamoDB, storage and backup": Price(usd=0.45, unit="GB-month", page=_DYNAMODB),
    "Logs": Price(usd=0.50, unit="GB taken in", page=_CLOUDWATCH),
    "Logs, storage": Price(usd=0.03, unit="GB-month, compressed", page=_CLOUDWATCH),
    "Alarms": Price(usd=0.10, unit="metric of an alarm and month", page=_CLOUDWATCH),
    "Custom metrics": Price(usd=0.30, unit="metric and month", page=_CLOUDWATCH),
    "Dashboards": Price(usd=3.00, unit="dashboard and month", page=_CLOUDWATCH),
    "X-Ray": Price(usd=5.00e-6, unit="trace", page="https://aws.amazon.com/xray/pricing/"),
    "KMS, requests": Price(usd=3.0e-6, unit="request", page=_KMS),
    "KMS, keys": Price(usd=1.00, unit="key and month", page=_KMS),
}
