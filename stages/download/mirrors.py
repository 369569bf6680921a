"""An archive from the first address that serves it right, an address being a file's path or an http address.

Nothing bears the archive's name before its size and its SHA-256 are those of datasets.yaml, and no more is ever read
than one byte beyond that size. The deadline holds for each read of a socket, be it of headers, of a chunk's size or of
the body; looking up a name takes as long as the system's resolver does. No message holds an address as it was given, or
the text of a library's exception: a user name and a password may stand in either.

Where every address was reached and gave other bytes, the failure is one of data (exit code 4); where any could not be
reached or did not give a file, it is one of the network (3).
"""

import hashlib
import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from tqdm import tqdm

from stages import atomic, schema
from stages.command import DataError, InputError, NetworkError, Problem, printable
from stages.datasets import Archive
from stages.download import timed

BLOCK = 1 << 16
BEGINNING = 64
MOST_REDIRECTS = 10

# Mirrors of Fashion-MNIST have served MNIST, whose files bear the same names (fashion-mnist, issues 107, 131, 132). The
# hashes stand in datasets.yaml too, but this stage reads no entry other than the chosen one.
LOOK_ALIKES = {
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609": "the training images of MNIST",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c": "the training labels of MNIST",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6": "the test images of MNIST",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6": "the test labels of MNIST",
}

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


PATIENCE = Patience()


class Failed(Exception):
    """Why an address is of no use."""


class OtherFile(Failed):
    """Another file came; `sha256` is its hash, unless the reason says what it is."""

    def __init__(self, reason: str, sha256: str = ""):
        super().__init__(reason)
        self.sha256 = sha256


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


def addresses(name: str, file: str, mirrors: Sequence[str], own_mirror: str) -> list[str]:
    """Return where to look for a file of the data set `name`, in that order; `own_mirror` may be empty.

    Raises InputError for an own mirror by http, unless it is on this machine.
    """
    if _is_exposed(own_mirror):
        what, fix = "http is for a server on this machine alone", "give an address with https, or a folder"
        raise InputError(Problem("DATASET_MIRROR", what, fix, "https://", shown(own_mirror)))
    own = [f"{own_mirror.rstrip('/')}/{name}/{file}"] if own_mirror else []
    return own + [f"{mirror.rstrip('/')}/{file}" for mirror in mirrors]


def shown(address: str) -> str:
    """Return an address fit to be printed, without what may be secret in it."""
    return printable(schema.redacted(address))


def _is_exposed(address: str) -> bool:
    """Return whether an address is one of http and not of this machine, so that others may read and change it."""
    if not re.match("http:", address, re.IGNORECASE):
        return False
    try:
        host = (urllib3.util.parse_url(address).host or "").strip("[]")  # as requests reads it
        return host != "localhost" and not ipaddress.ip_address(host).is_loopback
    except ValueError:  # no address of a machine, or a name of one
        return True


def fetch(archive: Archive, candidates: Iterable[str], target: Path, patience: Patience = PATIENCE) -> str:
    """Bring `archive` to `target` from the first of `candidates` that serves it; return that one, fit to be printed.

    A file that is there already is replaced by the right one, or left alone. Raises NetworkError or DataError, with
    what went wrong at each address, if none of them serves it.
    """
    failures = []
    for address in candidates:
        try:
            with atomic.replacing(target) as temporary:
                _fetch_patiently(archive, address, temporary, patience)
            return shown(address)
        except Failed as failure:
            failures.append((shown(address), failure))
    raise not_served(archive, failures)


def mismatch(archive: Archive, size: int, sha256: str, beginning: bytes) -> Failed | None:
    """Return what is wrong with bytes that came, if anything is; of a file too long they end with one byte too many."""
    if (size, sha256) == (archive.size, archive.sha256):
        return None
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Failed("looks like an HTML page (proxy or captive portal?)")
    if sha256 in LOOK_ALIKES:
        return OtherFile(f"serves {LOOK_ALIKES[sha256]} instead")
    if size > archive.size:
        return OtherFile(f"more than {archive.size} bytes", sha256)
    return OtherFile(f"{size} bytes with SHA-256 {sha256}", sha256)


def not_served(archive: Archive, failures: Sequence[tuple[str, Failed]]) -> NetworkError | DataError:
    """Return the error that says of each address, fit to be printed, what went wrong there, and how to go on."""
    others = [failure for _, failure in failures if isinstance(failure, OtherFile)]
    hashes = {other.sha256 for other in others} if len(others) == len(failures) else set()
    what = "no address serves it"
    if len(hashes) == 1 and "" not in hashes:
        what = "every address serves the same other file: datasets.yaml may be wrong or upstream changed"
    expected = f"{archive.size} bytes with SHA-256 {archive.sha256}"
    got = "; ".join(f"{address}: {failure}" for address, failure in failures)
    fix = f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{archive.file}"
    error = DataError if hashes else NetworkError
    return error(Problem(archive.file, what, fix, expected, got))


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
    if scheme not in ("https", urlsplit(address).scheme) or _is_exposed(target):
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


def _fetch_patiently(archive: Archive, address: str, path: Path, patience: Patience) -> None:
    """Write what `address` serves to `path`, trying again while that may help. Raises Failed."""
    deadline = Deadline(patience, archive.size)
    wait = patience.first_wait_s
    for tries_left in reversed(range(patience.tries)):
        try:
            return _receive(archive, address, path, deadline, patience)
        except Passing as failure:
            pause = min(wait if failure.asked_wait_s is None else failure.asked_wait_s, patience.longest_wait_s)
            if not tries_left or pause > deadline.left_s():
                raise
        patience.sleep(pause)
        wait *= 2


def _receive(archive: Archive, address: str, path: Path, deadline: Deadline, patience: Patience) -> None:
    """Write what `address` serves to `path`, and no more of it than one byte too many. Raises Failed."""
    digest, size, beginning = hashlib.sha256(), 0, b""
    bar = tqdm(total=archive.size, desc=archive.file, unit="B", unit_scale=True, leave=False, disable=None)
    served = _blocks_of_server(address, deadline, patience) if _URL.match(address) else _blocks_of_file(Path(address))
    with bar, closing(served) as blocks, open(path, "wb") as file:
        for block in blocks:
            deadline.left_s()
            block = block[: archive.size + 1 - size]
            file.write(block)
            digest.update(block)
            size += len(block)
            beginning = (beginning + block)[:BEGINNING]
            bar.update(len(block))
            if size > archive.size:
                break
    if failure := mismatch(archive, size, digest.hexdigest(), beginning):
        raise failure


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
