"""Writes ``docs/cost.md`` from measured figures: ``python -m bench.cost``; ``make cost`` calls it.

Tables here, prose in ``bench/documents/cost.md``, arithmetic in ``cost_model.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

from bench import cost_model, results
from bench.choosing import CLICK_CASE, REVERT_CASE
from bench.cold import SIZES
from bench.cost_model import idle_month, lambda_usd, metrics_month, per_request, total
from bench.path import IDLE_GROUPS
from bench.prices import AS_OF, PRICES
from bench.report import DOCUMENTS, remarks
from bench.tables import number, table
from deploy.names import ROOT

FILE: Final = ROOT / "docs" / "cost.md"
_EXAMPLES: Final = ((1, 1, 50), (10, 2, 50), (100, 4, 50), (100, 4, 1000))
"""Member accounts, regions of each, approved requests of each account and region in a month."""
_MANY_GROUPS: Final = 2000

Figures = Mapping[str, Any]


def write(found: Figures, path: Path = FILE) -> Path:
    """Write the document."""
    path.write_text(document(found), encoding="utf-8")
    return path


def document(found: Figures) -> str:
    """Return the document."""
    about, sizes = found["about"], found["path"]["item_bytes"]
    schedules = {name: rate for facts in found["package"].values() for name, rate in facts["schedules_minutes"].items()}
    texts = {
        "at": about["at"],
        "at_day": about["at"][:10],
        "quick": remarks(found),
        "as_of": AS_OF,
        "short": _short(found),
        "requests": _requests(found),
        "schedules": " and ".join(f"`{name}` every {rate} minutes" for name, rate in sorted(schedules.items())),
        "groups": IDLE_GROUPS,
        "many_groups": f"{_MANY_GROUPS:,}",
        "many_groups_usd": _usd(total(idle_month(found, "member", groups=_MANY_GROUPS))),
        "idle": _idle(found),
        "key_usd": _usd(PRICES["KMS, keys"].usd),
        "examples": _examples(found),
        "sizes": _sizes(found),
        "hours": cost_model.HOURS_PER_MONTH,
        "item_bytes": ", ".join(f"{name} {size:,} bytes" for name, size in sizes.items()),
        "months_kept": cost_model.MONTHS_KEPT,
        "platform_bytes": cost_model.PLATFORM_LOG_BYTES,
        "event_bytes": cost_model.LOG_EVENT_BYTES,
        "log_events": cost_model.LOG_EVENTS,
        "log_days": 30 * cost_model.LOG_MONTHS,
        "log_compression": f"{cost_model.LOG_COMPRESSION:.0%}",
        "metrics": ", ".join(f"{line.amount:.0f} in a {app} account" for app, (line,) in _metrics(found).items()),
        "kms_per_hour": cost_model.KMS_PER_HOUR,
        "prices": _prices(),
    }
    return Template((DOCUMENTS / "cost.md").read_text(encoding="utf-8")).substitute(texts)


def _metrics(found: Figures) -> dict[str, list[cost_model.Line]]:
    return {app: metrics_month(found, app) for app in ("member", "central")}


def _short(found: Figures) -> str:
    warm, cold = (1000 * total(per_request(found, cold=is_cold)) for is_cold in (False, True))
    member, central = (total(idle_month(found, app)) for app in ("member", "central"))
    busy = {app: total(lines) for app, lines in _metrics(found).items()}
    rows = [
        ("1,000 approved requests, warm functions", warm),
        ("1,000 approved requests, every start cold", cold),
        (f"an idle month, member account and region of {IDLE_GROUPS} groups", member),
        ("an idle month, central account", central),
        ("custom metrics of a month with a request in every hour, member account and region", busy["member"]),
        ("the same, central account", busy["central"]),
    ]
    return table(("", "USD"), [(name, _usd(value)) for name, value in rows])


def _requests(found: Figures) -> str:
    warm, cold = per_request(found, cold=False), per_request(found, cold=True)
    rows = [
        (line.what, number(1000 * line.amount), PRICES[line.what].unit, _usd(1000 * line.usd), _usd(1000 * other.usd))
        for line, other in zip(warm, cold, strict=True)
    ]
    rows.append(("**together**", "", "", f"**{_usd(1000 * total(warm))}**", f"**{_usd(1000 * total(cold))}**"))
    return table(("per 1,000 requests", "amount, warm", "unit", "USD, warm", "USD, cold"), rows)


def _idle(found: Figures) -> str:
    member, central = idle_month(found, "member"), idle_month(found, "central")
    rows = [
        (one.what, number(one.amount), _usd(one.usd), number(other.amount), _usd(other.usd))
        for one, other in zip(member, central, strict=True)
    ]
    rows.append(("**together**", "", f"**{_usd(total(member))}**", "", f"**{_usd(total(central))}**"))
    return table(("a month", "member: amount", "member: USD", "central: amount", "central: USD"), rows)


def _examples(found: Figures) -> str:
    request = total(per_request(found, cold=True))
    idle = {app: total(idle_month(found, app)) for app in ("member", "central")}
    busy = {app: total(lines) for app, lines in _metrics(found).items()}
    rows = []
    for accounts, regions, requests in _EXAMPLES:
        places = accounts * regions
        # A metric is billed for the hours in which it is sent.
        hours = min(1.0, requests / cost_model.HOURS_PER_MONTH)
        central_hours = min(1.0, places * requests / cost_model.HOURS_PER_MONTH)
        fixed = idle["central"] + places * idle["member"]
        metrics = central_hours * busy["central"] + hours * places * busy["member"]
        asked = places * requests * request
        whole = fixed + metrics + asked
        name = f"accounts: {accounts}, regions of each: {regions}, requests a month in each region: {requests:,}"
        rows.append((name, *map(_usd, (fixed, metrics, asked, whole, whole / places))))
    head = ("", "fixed", "metrics", "requests, cold", "a month", "per account and region")
    return table(head, rows)


def _sizes(found: Figures) -> str:
    kinds = [(case, cold) for case in (REVERT_CASE, CLICK_CASE) for cold in (False, True)]
    rows = [
        (f"{size:,} MB", *(_usd(lambda_usd(found, case, size, cold=cold)) for case, cold in kinds)) for size in SIZES
    ]
    return table(("1,000 invocations, USD", "revert, warm", "revert, cold", "click, warm", "click, cold"), rows)


def _prices() -> str:
    rows = [
        (what, f"{price.usd:.10f}".rstrip("0").rstrip("."), price.unit, f"<{price.page}>")
        for what, price in PRICES.items()
    ]
    return table(("", "USD", "for a", "page"), rows)


def _usd(value: float) -> str:
    return f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.4f}"


if __name__ == "__main__":
    print(write(results.load()))
