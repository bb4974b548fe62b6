"""Admits only the page itself, opened on this machine: no other host name, no other page, nothing from other servers.

The page changes things, so another web page must not be able to use it: neither by sending requests to it (checked by
``Origin`` and ``Sec-Fetch-Site``) nor by giving its own host name this address (DNS rebinding, checked by ``Host``).
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.serving import NAMES

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LoopbackOnly:
    """An ASGI middleware: refuses with 403 what does not come from the page itself, and adds the headers."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        """Guard an application that is served on a port of the loopback interface."""
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in NAMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        app = PlainTextResponse(refusal + "\n", status_code=403) if refusal else self._app
        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return f"The sandbox answers at {' and '.join(sorted(self._hosts))} only, not at {host!r}."
        if origin is not None and origin.removeprefix("http://") not in self._hosts:
            return "Requests from other web pages are refused."
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and scope["method"] != "GET":
            return "Requests from other web pages are refused."
        if scope["method"] == "POST" and headers.get("content-type", "").partition(";")[0] != "application/json":
            return "Requests that change something are application/json."
        return ""
