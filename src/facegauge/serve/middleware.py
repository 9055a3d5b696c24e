"""What surrounds every request: the key, security headers, metrics, a line of log, last errors."""

from __future__ import annotations

import hmac
import logging
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facegauge.serve.problems import Problem, quoted
from facegauge.serve.service import Service

logger = logging.getLogger(__name__)

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LOGGED_PATHS = frozenset({"/v1/score", "/v1/best", "/v1/models"})
OPEN_PATHS = ("/", "/healthz", "/readyz", "/openapi.json")
OPEN_FOLDERS = ("/page/", "/runtime/")  # of the page: code that everybody has
GONE = 499


class Guard:
    """The outermost layer; nothing of a picture, a name or an address is logged or counted."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    @staticmethod
    def needs_key(path: str) -> bool:
        return path not in OPEN_PATHS and not path.startswith(OPEN_FOLDERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            if given := self._wrong_key(scope):
                refusal = Problem(
                    401,
                    f"got {given}; expected the key of this service: Authorization: Bearer KEY",
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await refusal.response()(scope, receive, guarded)
            else:
                await self._app(scope, receive, guarded)
        except ClientDisconnect:
            status = GONE
        except Exception as error:
            logger.error("unexpected %s in %s", type(error).__name__, _where(error))
            if not status:
                problem = Problem(500, "the service failed on this request; its log says where")
                await problem.response()(scope, receive, guarded)
        finally:
            self._record(scope, status or GONE, time.monotonic() - begun)

    def _wrong_key(self, scope: Scope) -> str:
        """What the request shows in place of the key; empty where it has it or needs none."""
        key = self._service.key
        preflight = scope["method"] == "OPTIONS"
        if key is None or preflight or not self.needs_key(scope["path"]):
            return ""
        header = Headers(scope=scope).get("authorization")
        if header is None:
            return "no Authorization header"
        scheme, _, given = header.partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1"), key.encode())
        if scheme.lower() != "bearer":
            return f"the scheme {quoted(scheme, 20)}" if given else "an Authorization of one word"
        return "" if same else "another key"

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route, asked = scope.get("route"), scope["path"]
        known = asked if asked in LOGGED_PATHS else "other"  # one that was refused has no route
        path = getattr(route, "path", known)
        metrics = self._service.metrics
        metrics.requests.labels(path, str(status)).inc()
        metrics.seconds.labels(path).observe(seconds)
        if path in LOGGED_PATHS:
            phrase = "client gone" if status == GONE else HTTPStatus(status).phrase
            count = scope.get("pictures", 0)
            noun = "picture" if count == 1 else "pictures"
            logger.info("%s %d %s, %d %s, %.3f s", path, status, phrase, count, noun, seconds)


def _where(error: Exception) -> str:
    """File and line of an exception; its text may hold names."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "no known place"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
