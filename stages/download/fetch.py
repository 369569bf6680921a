"""Fetch an archive from the first address that serves the right bytes.

An address is an http or https URL, or the path of a file. A file gets the archive's name only after its size and its
SHA-256 are those of the card. At most one byte more than the expected size is read. Messages hide user names,
passwords and tokens of addresses.
"""

import hashlib
import http.client
import re
import ssl
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import requests
from tqdm import tqdm

from core.cli.errors import DataError, NetworkError, Problem, printable
from core.files import atomic
from core.sources.datasets import Pin

BLOCK = 1 << 16

# Mirrors of Fashion-MNIST have served MNIST, whose files have the same names (fashion-mnist, issues 107, 131, 132).
LOOK_ALIKES = {
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609": "the training images of MNIST",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c": "the training labels of MNIST",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6": "the test images of MNIST",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6": "the test labels of MNIST",
}


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait for an address, in seconds, and when to try again."""

    connect_s: float = 10
    read_s: float = 30  # between two pieces of an answer
    total_s: float = 900  # for one archive from one address, with all retries; longer for a large archive
    slowest: float = 100_000  # bytes per second at which a large archive still arrives in time
    waits_s: tuple[float, ...] = (1, 2, 4)  # before each retry
    longest_wait_s: float = 60  # even if the server asks for more


POLICY = RetryPolicy()


class Failed(Exception):
    """An address does not serve the archive; the text says why.

    sha256: of the other file that it serves instead, or empty. wait_s: how long the server asks to wait before a retry;
    0 if it does not say, None if a retry will not help.
    """

    def __init__(self, reason: str, *, sha256: str = "", wait_s: float | None = None):
        super().__init__(reason)
        self.sha256, self.wait_s = sha256, wait_s


def fetch(file: str, pin: Pin, addresses: Iterable[str], target: Path, policy: RetryPolicy = POLICY) -> str:
    """Write an archive to `target` from the first address that serves it, and return that address, fit to print.

    A file that is already at `target` stays until the right one replaces it. Raises DataError if every address serves
    another file, else NetworkError, with the reason for each address.
    """
    failures = {}
    for address in addresses:
        try:
            with atomic.replacing(target) as temporary:
                _try(file, pin, address, temporary, policy)
            return shown(address)
        except Failed as failure:
            failures[shown(address)] = failure
    raise _not_served(file, pin, failures)


def shown(address: str) -> str:
    """Return an address fit to print: without user name, password, query and fragment."""
    if not address.startswith(("/", "./", "../")):  # a folder, as DATASET_MIRROR may name
        address = re.sub(r"^(\w*:/+)?.*@", r"\1***@", address, flags=re.DOTALL)
        address = re.sub(r"[?#].*", "?***", address, flags=re.DOTALL)
    return printable(address)


def _try(file: str, pin: Pin, address: str, path: Path, policy: RetryPolicy) -> None:
    """Write the archive to `path`, and try again after temporary failures. Raises Failed."""
    deadline = time.monotonic() + max(policy.total_s, pin.size / policy.slowest)
    for wait_s in (*policy.waits_s, None):
        try:
            with closing(_blocks(address, policy)) as blocks:
                return _receive(file, pin, blocks, path, deadline)
        except Failed as failure:
            if failure.wait_s is None or wait_s is None:
                raise
            wait_s = min(failure.wait_s or wait_s, policy.longest_wait_s)
            if time.monotonic() + wait_s > deadline:
                raise
            time.sleep(wait_s)


def _receive(name: str, pin: Pin, blocks: Iterable[bytes], path: Path, deadline: float) -> None:
    """Write the archive to `path`, and stop after one byte too many. Raises Failed unless it is the right file."""
    digest, size, beginning = hashlib.sha256(), 0, b""
    bar = tqdm(total=pin.size, desc=name, unit="B", unit_scale=True, leave=False, disable=None)
    with bar, open(path, "wb") as file:
        for block in blocks:
            if time.monotonic() > deadline:
                raise Failed("too slow")
            block = block[: pin.size + 1 - size]
            file.write(block)
            digest.update(block)
            size += len(block)
            beginning = beginning or block
            bar.update(len(block))
            if size > pin.size:
                break
    if (size, digest.hexdigest()) != (pin.size, pin.sha256):
        raise _mismatch(pin, size, digest.hexdigest(), beginning)


def _mismatch(pin: Pin, size: int, sha256: str, beginning: bytes) -> Failed:
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Failed("looks like an HTML page (proxy or captive portal?)")
    if sha256 in LOOK_ALIKES:
        return Failed(f"serves {LOOK_ALIKES[sha256]} instead", sha256=sha256)
    found = f"more than {pin.size} bytes" if size > pin.size else f"{size} bytes with SHA-256 {sha256}"
    return Failed(found, sha256=sha256)


def _blocks(address: str, policy: RetryPolicy) -> Generator[bytes, None, None]:
    """Yield the bytes that an address serves, at most BLOCK at a time. Raises Failed."""
    try:
        if re.match("https?://", address, re.IGNORECASE):
            yield from _answer(address, policy)
        else:
            with open(address, "rb") as file:
                yield from iter(partial(file.read, BLOCK), b"")
    except Failed:
        raise
    except Exception as error:  # requests lets exceptions of urllib3, ssl and http.client pass, and even a TypeError
        raise _failure(error) from error


class _Session(requests.Session):
    """A session that follows no redirect: requests reads the body of a redirect, however large it is."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _answer(url: str, policy: RetryPolicy, redirects: int = 5) -> Generator[bytes, None, None]:
    headers, timeout = {"Accept-Encoding": "identity"}, (policy.connect_s, policy.read_s)
    with _Session() as session, session.get(url, headers=headers, timeout=timeout, stream=True) as response:
        if response.is_redirect:
            if not redirects:
                raise Failed("too many redirects")
            yield from _answer(urljoin(url, response.headers["Location"]), policy, redirects - 1)
            return
        if response.status_code != 200:
            may_recover = response.status_code == 429 or response.status_code >= 500
            asked = response.headers.get("Retry-After", "")
            wait_s = float(asked) if re.fullmatch("[0-9]{1,9}", asked) else 0
            raise Failed(f"HTTP {response.status_code}", wait_s=wait_s if may_recover else None)
        # Some servers call a .gz file gzip-encoded; the SHA-256 is of the bytes as served. read1 returns the bytes that
        # are there, so the total time is checked even if a server is slow.
        while block := response.raw.read1(BLOCK, decode_content=False):
            yield block


def _failure(error: BaseException) -> Failed:
    """Return the failure of an exception, by its first cause: the texts of requests and urllib3 quote the address."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    dropped = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError)
    if any(isinstance(cause, (*dropped, http.client.IncompleteRead)) for cause in causes):
        return Failed("the connection was dropped", wait_s=0)
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        reason = "timed out"
    by_proxy = any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes)
    return Failed(f"{'the proxy: ' if by_proxy else ''}{reason or type(causes[-1]).__name__}")


def _not_served(file: str, pin: Pin, failures: dict[str, Failed]) -> NetworkError | DataError:
    """Return the error that gives the reason for each address, and the next step."""
    hashes = {failure.sha256 for failure in failures.values()}
    only_other_files = all(hashes)
    what = "no address serves it"
    fix = f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{file}"
    if only_other_files and len(hashes) == 1 and not hashes & LOOK_ALIKES.keys():
        what = "every address serves the same other file: the card may be wrong or upstream changed"
        fix = "if you want that file, correct size and sha256 in the card (wc -c and sha256sum), then dvc repro"
    expected = f"{pin.size} bytes with SHA-256 {pin.sha256}"
    got = "; ".join(f"{address}: {failure}" for address, failure in failures.items())
    error = DataError if only_other_files else NetworkError
    return error(Problem(file, what, expected=expected, got=got, fix=fix))
