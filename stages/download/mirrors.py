"""An archive from the first address that serves it right, an address being a file's path or an http address.

Nothing bears the archive's name before its size and its SHA-256 are those of datasets.yaml. No message holds an address
as it was given, or the text of a library's exception: a user name and a password may stand in either.
"""

import hashlib
import http.client
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

from stages import atomic
from stages.command import NetworkError, Problem
from stages.datasets import Archive

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
    deadline_s: float = 900  # for an archive from one address, all tries and waits included
    tries: int = 4
    first_wait_s: float = 1  # before the second try; twice as long before each further one
    longest_wait_s: float = 60  # even if the server asks for more
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


PATIENCE = Patience()


class Failed(Exception):
    """Why an address is of no use; if another file came, and nothing more is known of it than its hash, that too."""

    def __init__(self, reason: str, other_sha256: str = ""):
        super().__init__(reason)
        self.other_sha256 = other_sha256


class Passing(Failed):
    """A failure that may be over soon; the server may have said how soon."""

    def __init__(self, reason: str, asked_wait_s: float | None = None):
        super().__init__(reason)
        self.asked_wait_s = asked_wait_s


def addresses(name: str, file: str, mirrors: Sequence[str], own_mirror: str) -> list[str]:
    """Return where to look for a file of the data set `name`, in that order; `own_mirror` may be empty."""
    own = [f"{own_mirror.rstrip('/')}/{name}/{file}"] if own_mirror else []
    return own + [f"{mirror.rstrip('/')}/{file}" for mirror in mirrors]


def shown(address: str) -> str:
    """Return an address fit to be printed: without what may be a user name and a password, however badly written."""
    return re.sub(rf"^({_URL.pattern})?.*@", r"\1***@", address, flags=re.DOTALL | re.IGNORECASE)


def fetch(archive: Archive, candidates: Iterable[str], target: Path, patience: Patience = PATIENCE) -> str:
    """Bring `archive` to `target` from the first of `candidates` that serves it; return that one, fit to be printed.

    A file that is there already is replaced by the right one, or left alone. Raises NetworkError, with what went wrong
    at each address, if none of them serves it.
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
        return Failed(f"serves {LOOK_ALIKES[sha256]} instead")
    if size > archive.size:
        return Failed(f"more than {archive.size} bytes", sha256)
    return Failed(f"{size} bytes with SHA-256 {sha256}", sha256)


def not_served(archive: Archive, failures: Sequence[tuple[str, Failed]]) -> NetworkError:
    """Return the error that says of each address, fit to be printed, what went wrong there, and how to go on."""
    hashes = {failure.other_sha256 for _, failure in failures}
    what = "no address serves it"
    if len(hashes) == 1 and "" not in hashes:
        what = "every address serves the same other file: datasets.yaml may be wrong or upstream changed"
    expected = f"{archive.size} bytes with SHA-256 {archive.sha256}"
    got = "; ".join(f"{address}: {failure}" for address, failure in failures)
    fix = f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{archive.file}"
    return NetworkError(Problem(archive.file, what, fix, expected, got))


def redirected(address: str, location: str) -> str:
    """Return where a redirect leads.

    Another host is fine, for the hash pins the bytes. Raises Failed for http where there was https, and for whatever is
    neither.
    """
    try:
        target = urljoin(address, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise Failed("a redirect to what is no address") from error
    if scheme not in ("https", urlsplit(address).scheme):
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
    else:
        reason = type(system or error).__name__
    by_proxy = any(isinstance(c, requests.exceptions.ProxyError) for c in causes)
    return Failed(f"the proxy: {reason}" if by_proxy else reason)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _fetch_patiently(archive: Archive, address: str, path: Path, patience: Patience) -> None:
    """Write what `address` serves to `path`, trying again while that may help. Raises Failed."""
    deadline = patience.clock() + patience.deadline_s
    wait = patience.first_wait_s
    for tries_left in reversed(range(patience.tries)):
        try:
            return _receive(archive, address, path, deadline, patience)
        except Passing as failure:
            pause = min(wait if failure.asked_wait_s is None else failure.asked_wait_s, patience.longest_wait_s)
            if not tries_left or patience.clock() + pause > deadline:
                raise
        patience.sleep(pause)
        wait *= 2


def _receive(archive: Archive, address: str, path: Path, deadline: float, patience: Patience) -> None:
    """Write what `address` serves to `path`, and no more of it than one byte too many. Raises Failed."""
    digest, size, beginning = hashlib.sha256(), 0, b""
    bar = tqdm(total=archive.size, desc=archive.file, unit="B", unit_scale=True, leave=False, disable=None)
    served = _blocks_of_server(address, patience) if _URL.match(address) else _blocks_of_file(Path(address))
    with bar, closing(served) as blocks, open(path, "wb") as file:
        for block in blocks:
            if patience.clock() > deadline:
                raise Failed(f"not done after {patience.deadline_s:g} s")
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


def _blocks_of_file(path: Path) -> Generator[bytes]:
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise Failed("no such file")
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                yield block
    except OSError as error:
        raise Failed(error.strerror or type(error).__name__) from error


def _blocks_of_server(address: str, patience: Patience) -> Generator[bytes]:
    try:
        with _Session() as session, _answer(session, address, patience) as response:
            if response.status_code != 200:
                raise refusal(response.status_code, response.headers.get("Retry-After"))
            # read1 returns what is there; read and stream wait until a block is full, and a slow drip never fills it.
            # The hash is that of the bytes as served: a server may call a .gz file gzip-encoded, and mean the file.
            while block := response.raw.read1(BLOCK, decode_content=False):
                yield block
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise trouble(error) from error


class _Session(requests.Session):
    """A session that leaves redirects alone, even unread: requests reads the body of each, however long it is."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@contextmanager
def _answer(session: requests.Session, address: str, patience: Patience) -> Iterator[requests.Response]:
    """Yield the answer at the end of the redirects, its body still to be read."""
    timeout = (patience.connect_s, patience.read_s)
    for _ in range(MOST_REDIRECTS + 1):
        with session.get(address, headers={"Accept-Encoding": "identity"}, timeout=timeout, stream=True) as response:
            if not response.is_redirect:
                yield response
                return
        address = redirected(address, response.headers["Location"])
    raise Failed(f"more than {MOST_REDIRECTS} redirects")
