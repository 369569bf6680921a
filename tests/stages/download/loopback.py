"""A server on loopback that misbehaves on demand: each action is what a request for a path is met with."""

import contextlib
import itertools
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "loopback.pem"

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Server(ThreadingHTTPServer):
    """Does at each path what `routes` says, or answers 404.

    `hits` are the paths asked for and `headers` what came with them; `sent` is how many bytes `drip` and `pour` got rid
    of. `hanging` is set once a request is left hanging, and `closing` lets it go.
    """

    daemon_threads = True

    def __init__(self, *, tls=False):
        super().__init__(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"http{'s' * tls}://127.0.0.1:{self.server_port}"
        self.routes, self.hits, self.headers = {}, [], []
        self.sent = 0
        self.hanging, self.closing = threading.Event(), threading.Event()

    def route(self, path, *actions):
        """Do the actions in turn, the last one for ever, and return the path's address."""
        self.routes[path] = itertools.chain(actions, itertools.repeat(actions[-1]))
        return self.address + path

    @contextlib.contextmanager
    def serving(self):
        with self:
            thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield self
            finally:
                self.closing.set()
                self.shutdown()
                thread.join()


class Handler(BaseHTTPRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):  # the client went away, or does not trust the certificate
            super().handle()

    def do_GET(self):
        self.server.hits.append(self.path)
        self.server.headers.append(self.headers)
        action = next(self.server.routes[self.path]) if self.path in self.server.routes else reply(404)
        self.close_connection = True
        action(self)

    def log_message(self, *_):
        pass


def reply(status=200, body=b"", **headers):
    """Answer in full; headers are written with underscores."""

    def act(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def say(data):
    """Send these bytes, and nothing that they don't say."""
    return lambda handler: handler.wfile.write(data)


def hang(data=b""):
    """Send these bytes, then nothing."""

    def act(handler):
        try:
            handler.wfile.write(data)
        finally:
            handler.server.hanging.set()
        handler.server.closing.wait(60)

    return act


def drip(data, drop):
    """Send these bytes, then a drop each millisecond: always in time for a time-out that starts afresh with each."""

    def act(handler):
        handler.wfile.write(data)
        for _ in range(5000):
            handler.server.sent += handler.wfile.write(drop)
            time.sleep(0.001)

    return act


def pour(data, block=bytes(1 << 16)):
    """Send these bytes, then the same block, until nobody listens, or far more of them than anybody should read."""

    def act(handler):
        handler.wfile.write(data)
        for _ in range(5000):
            handler.server.sent += handler.wfile.write(block)

    return act


def close(handler):
    """Send nothing."""
