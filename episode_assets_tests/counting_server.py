"""An S3 server that counts what it sends, so that reading is measured where no reader can flatter itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class CountingServer:
    """Answers like moto's own server and adds up the bytes of all answers to GET, and the requests of each kind."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self.sent_bytes = 0
        self.requests: dict[str, int] = {}
        self.before_answer: Callable[[dict[str, Any]], None] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.before_answer is not None:
            self.before_answer(environ)
        method = environ["REQUEST_METHOD"]
        body = b"".join(self._application(environ, start_response))
        with self._lock:
            self.requests[method] = self.requests.get(method, 0) + 1
            self.sent_bytes += len(body) if method == "GET" else 0
        return [body]

    def reset(self) -> None:
        """Start counting anew."""
        self.sent_bytes, self.requests = 0, {}


@contextmanager
def counting_server() -> Iterator[tuple[CountingServer, str]]:
    """Serve the buckets of this process's moto on another port; yield the counter and the endpoint."""
    werkzeug_app = pytest.importorskip("moto.moto_server.werkzeug_app", reason="moto's S3 server is missing")
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = CountingServer(werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield application, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
