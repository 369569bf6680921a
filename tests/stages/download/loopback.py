"""A server on loopback with faults on demand: an action answers each request for a path."""

import contextlib
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Server(ThreadingHTTPServer):
    """Run the action of a path, or answer 404.

    `hits` are the requested paths and `headers` those of the requests. `sent` counts the bytes of `drip` and `pour`.
    `hanging` is set when a request hangs; `closing` releases it.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.routes, self.hits, self.headers = {}, [], []
        self.sent = 0
        self.hanging, self.closing = threading.Event(), threading.Event()

    def route(self, path, *actions):
        """Run the actions in turn, the last one again and again, and return the address of the path."""
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
        with contextlib.suppress(OSError):  # the client closed the connection
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
    """Answer in full; underscores in the names of headers become hyphens."""

    def act(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def say(data):
    """Send these bytes alone."""
    return lambda handler: handler.wfile.write(data)


def hang(data=b""):
    """Send these bytes, then nothing until the server closes."""

    def act(handler):
        try:
            handler.wfile.write(data)
        finally:
            handler.server.hanging.set()
        handler.server.closing.wait(60)

    return act


def drip(data, drops, pause_s):
    """Send these bytes, then the drops with a pause after each."""

    def act(handler):
        handler.wfile.write(data)
        for drop in drops:
            handler.server.sent += handler.wfile.write(drop)
            sleep(pause_s)

    return act


def pour(data, block=bytes(1 << 16)):
    """Send these bytes, then far more than anybody should read."""
    return drip(data, itertools.repeat(block, 5000), 0)


def close(handler):
    """Send nothing."""
