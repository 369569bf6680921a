"""The bytes that an address serves, an address being a file's path or an http address.

The deadline holds for each read of a socket, be it of headers, of a chunk's size or of the body; looking up a name
takes as long as the system's resolver does. No failure holds the address, or the text of a library's exception: a user
name and a password may stand in either.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from stages.download import timed

BLOCK = 1 << 16
MOST_REDIRECTS = 10

_URL = re.compile("https?://", re.IGNORECASE)
_SYSTEM = (OSError, http.client.HTTPException)
_DROPPED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError, http.client.IncompleteRead)


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and how often to try."""

    connect_s: float = 10
    read_s: float = 30  # from one piece of an answer to the next
    deadline_s: float = 900  # for an archive from one address, all tries and waits included; more for a large one
    slowest: float = 100_000  # bytes a second at which even the largest archive is waited for
    tries: int = 4
    first_wait_s: float = 1  # before the second try; twice as long before each further one
    longest_wait_s: float = 60  # even if the server asks for more
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Failed(Exception):
    """Why an address is of no use."""


class Passing(Failed):
    """A failure that may be over soon; the server may have said how soon."""

    def __init__(self, reason: str, asked_wait_s: float | None = None):
        super().__init__(reason)
        self.asked_wait_s = asked_wait_s


class Deadline:
    """When the patience with an address that is to serve so many bytes ends, counted from now."""

    def __init__(self, patience: Patience, size: int):
        self._clock = patience.clock
        self._allowed_s = max(patience.deadline_s, size / patience.slowest)
        self._end = self._clock() + self._allowed_s

    def left_s(self) -> float:
        """Return how many seconds are left, more than 0. Raises Failed if none are."""
        left = self._end - self._clock()
        if left <= 0:
            raise Failed(f"not done after {self._allowed_s:g} s")
        return left


def blocks(address: str, deadline: Deadline, patience: Patience) -> Generator[bytes, None, None]:
    """Yield what an address serves, in pieces of at most BLOCK bytes. Raises Failed."""
    return _blocks_of_server(address, deadline, patience) if _URL.match(address) else _blocks_of_file(Path(address))


def is_exposed(address: str) -> bool:
    """Return whether an address is one of http and not of this machine, so that others may read and change it."""
    if not re.match("http:", address, re.IGNORECASE):
        return False
    try:
        host = (urllib3.util.parse_url(address).host or "").strip("[]")  # as requests reads it
        return host != "localhost" and not ipaddress.ip_address(host).is_loopback
    except ValueError:  # no address of a machine, or a name of one
        return True


def redirected(address: str, location: str) -> str:
    """Return where a redirect leads.

    Another host is fine, for the hash pins the bytes. Raises Failed for http, but from a server on this machine to one,
    and for whatever is neither http nor https.
    """
    try:
        target = urljoin(address, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise Failed("a redirect to what is no address") from error
    if scheme not in ("https", urlsplit(address).scheme) or is_exposed(target):
        raise Failed(f"a redirect to {scheme}:, refused")
    return target


def refusal(status: int, retry_after: str | None) -> Failed:
    """Return what an answer other than 200 means: 429 and 5xx may pass, and the server may say when."""
    reason = f"HTTP {status}"
    if status != 429 and status < 500:
        return Failed(reason)
    try:
        return Passing(reason, urllib3.Retry().parse_retry_after(retry_after or ""))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return Passing(reason)


def trouble(error: Exception) -> Failed:
    """Return what an exception of requests or urllib3 means, going by the system's own among its causes."""
    causes = list(_causes(error))
    system = next((c for c in causes if isinstance(c, _SYSTEM) and not isinstance(c, requests.RequestException)), None)
    if isinstance(system, _DROPPED):
        return Passing("the connection was dropped")
    if isinstance(system, TimeoutError):
        reason = "timed out"
    elif isinstance(system, socket.gaierror):
        reason = f"unknown host ({system.strerror})"
    elif isinstance(system, OSError):
        reason = system.strerror or str(system)
    elif isinstance(system, http.client.HTTPException):
        reason = f"no proper HTTP answer ({type(system).__name__})"
    else:
        reason = type(error).__name__
    by_proxy = any(isinstance(c, requests.exceptions.ProxyError) for c in causes)
    return Failed(f"the proxy: {reason}" if by_proxy else reason)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _blocks_of_file(path: Path) -> Generator[bytes, None, None]:
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise Failed("no such file")
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                yield block
    except OSError as error:
        raise Failed(error.strerror or type(error).__name__) from error


def _blocks_of_server(address: str, deadline: Deadline, patience: Patience) -> Generator[bytes, None, None]:
    try:
        with timed.Session(deadline.left_s) as session, _answer(session, address, deadline, patience) as response:
            if response.status_code != 200:
                raise refusal(response.status_code, response.headers.get("Retry-After"))
            # read1 returns what is there, where read and stream wait until a block is full. The hash is that of the
            # bytes as served: a server may call a .gz file gzip-encoded, and mean the file.
            while block := response.raw.read1(BLOCK, decode_content=False):
                yield block
    except Failed:
        raise
    except Exception as error:  # of any kind: for a proxy without a host, requests lets a TypeError slip
        raise trouble(error) from error


@contextmanager
def _answer(
    session: requests.Session, address: str, deadline: Deadline, patience: Patience
) -> Iterator[requests.Response]:
    """Yield the answer at the end of the redirects, its body still to be read."""
    headers = {"Accept-Encoding": "identity"}
    for _ in range(MOST_REDIRECTS + 1):
        timeout = (min(patience.connect_s, deadline.left_s()), patience.read_s)
        with session.get(address, headers=headers, timeout=timeout, stream=True) as response:
            if not response.is_redirect:
                yield response
                return
        address = redirected(address, response.headers["Location"])
    raise Failed(f"more than {MOST_REDIRECTS} redirects")
