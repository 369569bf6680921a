"""A session of requests in which no read of a socket outlasts a deadline.

A time-out of requests starts afresh with each byte that comes, so a server that drips is waited for without end: in the
status line, the headers, the size of a chunk and what follows the last one as much as in the body, and a proxy in its
answer to CONNECT. Here the socket's time-out is set anew before each read, to no more than what is left.
"""

import functools
import http.client
import io
import socket
from collections.abc import Callable
from typing import Any

import requests

# Returns how many seconds are left, more than 0; raises what a deadline that has passed means.
Left = Callable[[], float]


class Session(requests.Session):
    """A session that leaves redirects alone, too: requests reads the body of each, however long it is."""

    def __init__(self, left_s: Left):
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(left_s))

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(requests.adapters.HTTPAdapter):
    """Has answers read in time, be they from a server or from a proxy."""

    def __init__(self, left_s: Left):
        super().__init__()
        self._left_s = left_s

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        answer = functools.partial(_Answer, left_s=self._left_s)
        given = {"response_class": staticmethod(answer)}  # or Python 3.13 warns of what a partial is to become
        pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), given)
        return pool


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, left_s: Left, **kwargs: Any):
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(Timed(self.fp.detach(), sock, left_s))


class Timed(io.RawIOBase):
    """What comes from a socket: a read waits as long as the socket's own time-out says, or as long as is left."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket, left_s: Left):
        self._stream, self._socket, self._left_s = stream, sock, left_s
        self._silence_s = sock.gettimeout() or float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(min(self._silence_s, self._left_s()))
        try:
            return self._stream.readinto(buffer)
        except TimeoutError:
            self._left_s()  # raises if that is why
            raise

    def close(self) -> None:
        self._stream.close()
        super().close()
