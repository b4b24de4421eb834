"""Real HTTP servers on loopback, in threads, each with faults on demand."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from storagebox.balance import Endpoint


class Server:
    """One server. What it does with a request is up to `status`, `before` and `body`."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b"hello"
        self.headers: dict[str, str] = {}
        self.drop = False
        """Close the connection without an answer."""
        self.gate = threading.Event()
        """Answers wait until it is set."""
        self.gate.set()
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self._http.server_port)

    def close(self) -> None:
        self.gate.set()
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                content = self.rfile.read(length)
                server.seen.append((self.command, self.path, dict(self.headers), content))
                server.gate.wait(10)
                if server.drop:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                with contextlib.suppress(OSError):
                    self.send_response(server.status)
                    for name, value in server.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(server.body)))
                    self.end_headers()
                    self.wfile.write(server.body)

            def log_message(self, *_: Any, **__: Any) -> None: ...

        for method in ("GET", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)
        return Handler


@contextlib.contextmanager
def servers(count: int) -> Iterator[list[Server]]:
    """So many, closed in the end."""
    made = [Server() for _ in range(count)]
    try:
        yield made
    finally:
        for server in made:
            server.close()


def dead() -> Endpoint:
    """An endpoint where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Endpoint("127.0.0.1", free.getsockname()[1])
