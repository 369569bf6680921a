"""An archive from the first address that serves it right.

Nothing bears the archive's name before its size and its SHA-256 are those of datasets.yaml, and no more is ever read
than one byte beyond that size. No message holds an address as it was given, as a user name and a password may stand in
it.

Where every address was reached and gave other bytes, the failure is one of data (exit code 4); where any could not be
reached or did not give a file, it is one of the network (3).
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from core.cli.errors import DataError, InputError, NetworkError, Problem, printable
from core.config import schema
from core.config.datasets import Archive
from core.files import atomic
from stages.download import transport
from stages.download.transport import Deadline, Failed, Passing, Patience

BEGINNING = 64

# Mirrors of Fashion-MNIST have served MNIST, whose files bear the same names (fashion-mnist, issues 107, 131, 132). The
# hashes stand in datasets.yaml too, but this stage reads no entry other than the chosen one.
LOOK_ALIKES = {
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609": "the training images of MNIST",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c": "the training labels of MNIST",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6": "the test images of MNIST",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6": "the test labels of MNIST",
}

PATIENCE = Patience()


class OtherFile(Failed):
    """Another file came; `sha256` is its hash, unless the reason says what it is."""

    def __init__(self, reason: str, sha256: str = ""):
        super().__init__(reason)
        self.sha256 = sha256


def addresses(name: str, file: str, mirrors: Sequence[str], own_mirror: str) -> list[str]:
    """Return where to look for a file of the data set `name`, in that order; `own_mirror` may be empty.

    Raises InputError for an own mirror by http, unless it is on this machine.
    """
    if transport.is_exposed(own_mirror):
        what, fix = "http is for a server on this machine alone", "give an address with https, or a folder"
        raise InputError(Problem("DATASET_MIRROR", what, expected="https://", got=shown(own_mirror), fix=fix))
    own = [f"{own_mirror.rstrip('/')}/{name}/{file}"] if own_mirror else []
    return own + [f"{mirror.rstrip('/')}/{file}" for mirror in mirrors]


def shown(address: str) -> str:
    """Return an address fit to be printed, without what may be secret in it."""
    return printable(schema.redacted(address))


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
    fix = f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{archive.file}"
    if len(hashes) == 1 and "" not in hashes:
        what = "every address serves the same other file: datasets.yaml may be wrong or upstream changed"
        fix = "if you want that file, correct size and sha256 in datasets.yaml (wc -c and sha256sum), then dvc repro"
    expected = f"{archive.size} bytes with SHA-256 {archive.sha256}"
    got = "; ".join(f"{address}: {failure}" for address, failure in failures)
    error = DataError if hashes else NetworkError
    return error(Problem(archive.file, what, expected=expected, got=got, fix=fix))


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
    with bar, closing(transport.blocks(address, deadline, patience)) as blocks, open(path, "wb") as file:
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
