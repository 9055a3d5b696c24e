"""Runs the service on uvicorn: the socket, slow and broken connections, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from facegauge.errors import UsageError
from facegauge.onnx_runtime import check_device
from facegauge.scorer import Scorer
from facegauge.serve.app import create_app
from facegauge.serve.limits import Limits
from facegauge.serve.middleware import SECURITY_HEADERS
from facegauge.serve.page_files import page_files
from facegauge.serve.problems import MEDIA_TYPE, Problem
from facegauge.serve.service import Service

logger = logging.getLogger(__name__)

LAST_CALL = 0.5  # seconds in which new requests still get an answer: 503
MAX_HEADERS = 65_536  # bytes of a request before its body
DRAIN = 24.0  # seconds for what was accepted; then it is answered with 503
FILES_A_WORKER, OTHER_FILES = 4, 100  # that are open beside connections
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    name_or_folder: str | os.PathLike[str],
    *,
    host: str,
    port: int,
    workers: int,
    limits: Limits,
    key: str | None = None,
    origins: list[str] | None = None,
    device: str = "cpu",
) -> int:
    """Serve until SIGTERM or Ctrl-C; what was accepted by then is answered.

    Args:
        name_or_folder: a shipped scorer, or a scorer folder; each worker process opens it.
        host: address to listen on.
        port: to listen on; 0 for a free one.
        workers: number of worker processes.
        limits: what is taken.
        key: that requests have to show; None: none.
        origins: of pages elsewhere that may use the service (CORS).
        device: where the networks compute, cpu or cuda; each worker has its own.

    Returns:
        The signal that ended it.

    Raises:
        UsageError: the address cannot be listened on, there cannot be as many connections, or the
            device cannot be used.
        ScorerError: no such scorer, or it is damaged.
    """
    check_device(device)
    _allow_files(limits.max_connections + FILES_A_WORKER * workers + OTHER_FILES)
    scorer = Scorer(name_or_folder, threads=1)
    service = Service(scorer, workers, limits, key, device)
    page = page_files(scorer, limits, needs_key=key is not None)
    listener = listen(host, port)
    url = _url(listener)
    config = uvicorn.Config(
        create_app(service, origins, page),
        http=_protocol(limits),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADERS,
        timeout_graceful_shutdown=int(DRAIN) + 3,
    )
    server = _Server(config, service)
    if key is None and host not in LOOPBACK:
        logger.warning("without FACEGAUGE_API_KEY anybody who reaches %s can use it", url)
    logger.info("listening on %s, %d workers", url, workers)
    service.pool.start()
    try:
        server.run([listener])
    finally:
        service.pool.close()
    logger.info("stopped")
    return server.stopped_by


def _allow_files(count: int) -> None:
    """Let this process have as many open files, connections among them.

    Raises:
        UsageError: the system does not allow them.
    """
    if os.name == "nt":  # it has no such limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard) or count <= hard:
        if soft != resource.RLIM_INFINITY and soft < count:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        return
    raise UsageError(
        f"these connections and workers need {count} open files, and the system allows {hard}: "
        "lower --max-connections, or raise the limit (ulimit -Hn, LimitNOFILE of systemd)"
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: the address is taken, or not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name != "nt":  # where it would let two programs listen
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(
            f"--host: no machine has the name or address {host!r}; expected one of this machine, "
            "such as 127.0.0.1, or 0.0.0.0 for all of its addresses"
        ) from error
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Ends in three steps: no new requests, no new connections, no more waiting."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self.stopped_by = 0

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.stopped_by and sig == signal.SIGINT:
            self._service.halt()  # a second Ctrl-C: at once
        self.stopped_by = self.stopped_by or sig
        self._service.stopping = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("stopping: what was accepted is answered")
        await asyncio.sleep(LAST_CALL)  # clients that do not know yet get an answer
        for server in self.servers:
            server.close()
        await asyncio.sleep(LAST_CALL)  # and those that have just connected
        end = asyncio.get_running_loop().call_later(DRAIN, self._service.halt)
        await super().shutdown(sockets)
        end.cancel()


def _protocol(limits: Limits) -> type[H11Protocol]:
    """The protocol of one connection, within some limits."""

    class Protocol(H11Protocol):
        """Closes connections on which no request arrives in time, or no answer is read.

        What it refuses by itself it answers with a problem document.
        """

        waiting: asyncio.TimerHandle | None = None
        unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.max_connections:
                self._refuse(
                    Problem(
                        503,
                        f"there are {limits.max_connections} connections, the most that are "
                        "taken; try again in a second",
                        limit="max_connections",
                        value=limits.max_connections,
                        retry_after=1,
                    )
                )
            else:
                self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._watch()

        def pause_writing(self) -> None:
            super().pause_writing()
            self.unread = self.loop.call_later(limits.body_timeout, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.unread is not None:
                self.unread.cancel()

        def _watch(self) -> None:
            """Keep a timer while no request is being answered; more data do not set it back."""
            working = self.cycle is not None and not self.cycle.response_complete
            if self.waiting is not None and (working or self.transport.is_closing()):
                self.waiting.cancel()
                self.waiting = None
            elif self.waiting is None and not working and not self.transport.is_closing():
                self.waiting = self.loop.call_later(limits.body_timeout, self._late)

        def _late(self) -> None:
            self.waiting = None
            if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
                self._refuse(
                    Problem(
                        408,
                        f"the headers did not arrive within {limits.body_timeout:g} s; they end "
                        "with an empty line",
                        limit="body_timeout",
                        value=limits.body_timeout,
                    )
                )
            else:
                self.transport.close()

        def send_400_response(self, msg: str) -> None:
            error = sys.exception()  # in whose handler this is called
            status = getattr(error, "error_status_hint", 400)
            if status == 431:
                detail = (
                    f"got headers of more than {MAX_HEADERS} bytes, expected fewer or shorter ones"
                )
            else:
                reason = str(error).partition(": bytearray")[0]
                detail = f"this is not a request that HTTP/1.1 allows: {reason}"
            self._refuse(Problem(status, detail))

        def _refuse(self, problem: Problem) -> None:
            """Answer without a request, and close."""
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                body = problem.body()
                headers = {
                    **SECURITY_HEADERS,
                    **problem.headers,
                    "Content-Type": MEDIA_TYPE,
                    "Content-Length": str(len(body)),
                    "Connection": "close",
                }
                status = problem.document["status"]
                head = h11.Response(status_code=status, headers=list(headers.items()),
                                    reason=problem.document["title"])  # fmt: skip
                for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

    return Protocol
