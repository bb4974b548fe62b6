"""Notices answers that are web pages: a proxy's or a hotel's login page answers in AWS's place.

botocore reads some of them as an empty answer of AWS, so a list would be empty, and stumbles over the others. This is
for the operators' command lines; in Lambda there is no such proxy.
"""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from central.chalicelib.requests.table import TABLE

_SERVER_ERROR: Final = 500
"""From here on botocore tries again; AWS's own load balancers answer such errors as web pages too."""

_LOOKED_AT: Final = 100
"""Bytes at the beginning of an answer. Its content type says nothing: emulators call XML ``text/html``."""


class WebPageAnswerError(BotoCoreError):
    """A web page came back instead of AWS's answer."""

    fmt = (
        "the answer is a web page, not AWS's: is a proxy or a login page between this machine and AWS? "
        "(HTTPS_PROXY, AWS_ENDPOINT_URL)"
    )


def refuse_web_pages(events: Any) -> None:
    """Let every call fail whose answer is a web page.

    Args:
        events: where botocore announces what it does: of a session or a client.
    """
    events.register("before-parse", _refuse)


def no_table(error: Exception, region: str, verb: str) -> str:
    """Return the sentence for an account or region without the central table; ``""`` for every other error.

    Args:
        error: what was raised.
        region: where the table was looked for.
        verb: of ``make``, e.g. ``audit``.
    """
    if isinstance(error, ClientError) and error.response["Error"].get("Code") == "ResourceNotFoundException":
        return (
            f"There is no table {TABLE} in this account in {region}: is this the central account, and its region? "
            f"(make {verb} PROFILE=… REGION=…)"
        )
    return ""


def _refuse(response_dict: dict[str, Any], **_: Any) -> None:
    body = response_dict["body"]
    beginning = body[:_LOOKED_AT].lstrip().lower() if isinstance(body, bytes) else b""
    if beginning.startswith((b"<!doctype html", b"<html")) and response_dict["status_code"] < _SERVER_ERROR:
        raise WebPageAnswerError
