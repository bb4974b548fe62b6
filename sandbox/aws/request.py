"""An AWS API request as it arrives over HTTP: service, action, region and access key; and the identity behind the key.

Reads the query protocols (EC2, SNS, STS, IAM) and the JSON ones (DynamoDB); interprets nothing beyond that.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One signed request."""

    service: str
    """Signing name, e.g. ``ec2``."""
    region: str
    access_key_id: str
    action: str
    """E.g. ``AuthorizeSecurityGroupIngress``; empty where the protocol keeps it in the path (S3, Lambda)."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the query protocols, e.g. ``{"IpPermissions.1.IpProtocol": "tcp"}``."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """Body of the JSON protocols."""
    user_agent: str = ""
    source_ip: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The identity behind an access key, with what CloudTrail shows of it."""

    kind: Literal["IAMUser", "AssumedRole", "Root"]
    account: str
    arn: str
    principal_id: str
    access_key_id: str
    name: str
    """The user's name, or the role's."""
    role_arn: str = ""
    role_id: str = ""
    since: datetime | None = None
    """When a session began."""


def read_request(environ: Mapping[str, Any], body: bytes) -> ApiRequest | None:
    """Read a request from its WSGI environment and body; ``None`` when it is not signed.

    Raises:
        ValueError: when the body is not text, or not JSON where it should be.
    """
    credential = _CREDENTIAL.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    if credential is None:
        return None
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    parameters: dict[str, str] = {}
    document: dict[str, Any] = {}
    if target:
        try:
            loaded = json.loads(body or b"{}")
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        document = loaded if isinstance(loaded, dict) else {}
    elif str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
    else:
        parameters = dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    return ApiRequest(
        service=credential["service"],
        region=credential["region"],
        access_key_id=credential["key"],
        action=target.rpartition(".")[2] or parameters.get("Action", ""),
        parameters=parameters,
        document=document,
        user_agent=str(environ.get("HTTP_USER_AGENT", "")),
        source_ip=str(environ.get("REMOTE_ADDR", "")),
        host=str(environ.get("HTTP_HOST", "")),
    )
