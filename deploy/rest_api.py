"""The REST API that Slack sends clicks to: which one it is, and its address."""

from __future__ import annotations

import re
from typing import Any

from botocore.loaders import Loader

from deploy.names import ROUTE
from deploy.staging import shipped_stage
from deploy.target import Target


def api_stage() -> str:
    """Return the stage of the REST API, as shipped."""
    return str(shipped_stage("central")["api_gateway_stage"])


def find_rest_api(target: Target) -> str:
    """Return the id of the REST API whose method calls the route's function; ``""`` when there is none."""
    client = target.client("apigateway")
    wanted = f"function:{target.place.function(ROUTE)}/invocations"
    for page in client.get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            if api["name"] != target.place.app:
                continue
            resources = client.get_resources(restApiId=api["id"], embed=["methods"])["items"]
            methods = [method for one in resources for method in one.get("resourceMethods", {}).values()]
            if any(str(method.get("methodIntegration", {}).get("uri", "")).endswith(wanted) for method in methods):
                return str(api["id"])
    return ""


def stage_url(region: str, api_id: str) -> str:
    """Return the address of the API's stage, as Chalice records it."""
    return f"https://{api_id}.execute-api.{region}.{dns_suffix(region)}/{api_stage()}/"


def request_url(region: str, api_id: str) -> str:
    """Return the address that Slack sends clicks to."""
    return f"{stage_url(region, api_id)}slack/actions"


def dns_suffix(region: str) -> str:
    """Return the end of AWS's host names in a region, by botocore's data, e.g. ``amazonaws.com.cn``."""
    partitions: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]
    fitting = [one for one in partitions if re.match(one["regionRegex"], region)]
    return str((fitting or partitions)[0]["outputs"]["dnsSuffix"])
