"""An archive from addresses that fail, against a server on loopback with faults on demand."""

import gzip
import hashlib
import itertools
import socket

import pytest

from core.cli.errors import DataError, NetworkError
from core.sources import datasets
from stages.download import fetch
from tests.conftest import ROOT
from tests.stages.download.loopback import CHUNKED, OK, Server, close, drip, hang, pour, reply, say

FILE = "t10k-labels-idx1-ubyte.gz"
BODY = bytes(range(251)) * 800  # several blocks, each with another beginning
OTHER = BODY[::-1]
DIGITS = BODY[1:] + BODY[:1]
HTML = b"\r\n<!DOCTYPE html><title>Please sign in</title>"
BOMB = gzip.compress(bytes(16 << 20), mtime=0)
SIZED = OK + b"Content-Length: %d\r\n\r\n" % len(BODY)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


PIN = datasets.Pin(size=len(BODY), sha256=sha256(BODY))


class Download:
    """A target with an old file in it, and the pauses before retries, which take no time."""

    def __init__(self, folder, monkeypatch):
        self.target, self.pauses = folder / FILE, []
        self.target.write_bytes(b"old")
        monkeypatch.setattr(fetch.time, "sleep", self.pauses.append)

    def __call__(self, *addresses, pin=PIN, **policy):
        return fetch.fetch(FILE, pin, addresses, self.target, fetch.RetryPolicy(**policy))

    def fails(self, *addresses, error=NetworkError, **policy):
        """Return the message, and check that the old file stays and no other file does."""
        with pytest.raises(error) as caught:
            self(*addresses, **policy)
        assert self.target.read_bytes() == b"old"
        assert [path.name for path in self.target.parent.iterdir()] == [FILE]
        return str(caught.value)

    def succeeds(self, *addresses, **policy):
        """Return the address that served, and check that its bytes are in place and no other file is."""
        address = self(*addresses, **policy)
        assert self.target.read_bytes() == BODY
        assert [path.name for path in self.target.parent.iterdir()] == [FILE]
        return address


@pytest.fixture
def download(tmp_path, monkeypatch):
    folder = tmp_path / "raw"
    folder.mkdir()
    return Download(folder, monkeypatch)


ELSEWHERE = f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{FILE}"


def message(*reasons, what="no address serves it", fix=ELSEWHERE):
    expected = f"{len(BODY)} bytes with SHA-256 {sha256(BODY)}"
    return f"{FILE}: {what} (expected {expected}, got {'; '.join(reasons)}); fix: {fix}"


def wrong(body):
    return f"{len(body)} bytes with SHA-256 {sha256(body)}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/srv/me@home/a set?/a.gz", "/srv/me@home/a set?/a.gz"),
        ("https://user:secret@host:8443/a.gz", "https://***@host:8443/a.gz"),
        ("user:secret@host/a.gz", "***@host/a.gz"),
        ("https://host/a?token=secret/mnist/a.gz", "https://host/a?***"),
        ("/srv/two\nlines/a.gz", "/srv/two\\nlines/a.gz"),
    ],
)
@pytest.mark.fault("passwords in addresses, tokens behind them")
def test_shown_address_has_no_credentials(address, expected):
    assert fetch.shown(address) == expected


@pytest.mark.fault("the digits of MNIST for clothes")
def test_look_alikes_are_the_archives_of_mnist():
    """The stage reads no other card than the chosen one, so the hashes are in two places."""
    mnist = datasets.read(ROOT / "datasets/mnist.yaml")

    splits = {"train": "training", "test": "test"}
    expected = {}
    for role, file in mnist.files:
        if file:
            split, kind = role.split("_")
            expected[mnist.archives[file].sha256] = f"the {splits[split]} {kind} of MNIST"
    assert expected == fetch.LOOK_ALIKES


TOO_LONG = f"more than {len(BODY)} bytes"
DROPPED = "the connection was dropped"

# The action of the server, the reason in the error, and the number of requests.
FAULTS = {
    "404": (reply(404), "HTTP 404", 1),
    "206, a part, though with the right bytes": (reply(206, BODY), "HTTP 206", 1),
    "500 every time": (reply(500), "HTTP 500", 4),
    "hangs before the headers": (hang(), "timed out", 1),
    "hangs in the body": (hang(SIZED + BODY[:1000]), "timed out", 1),
    "drips the body": (drip(SIZED, [b"x"] * 500, 0.01), "too slow", 1),
    "cut, right length": (say(SIZED + BODY[:1000]), DROPPED, 4),
    "cut in a chunk": (say(CHUNKED + b"3e8\r\n" + BODY[:500]), DROPPED, 4),
    "cut, no length": (say(OK + b"\r\n" + BODY[:1000]), wrong(BODY[:1000]), 1),
    "one byte too many": (reply(200, BODY + b"x"), TOO_LONG, 1),
    "endless body": (pour(OK + b"\r\n"), TOO_LONG, 1),
    "wrong bytes": (reply(200, OTHER), wrong(OTHER), 1),
    "HTML with 200": (reply(200, HTML), "looks like an HTML page (proxy or captive portal?)", 1),
    "MNIST for Fashion-MNIST": (reply(200, DIGITS), "serves the test labels of MNIST instead", 1),
    "gzip bomb": (reply(200, BOMB, Content_Encoding="gzip"), wrong(BOMB), 1),
    "redirect to a file": (reply(302, Location="file:///etc/hostname"), "InvalidSchema", 1),
    "redirects in a loop": (reply(301, Location="/a"), "too many redirects", 6),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.fault("not found, gone")
@pytest.mark.fault("refused connections, unknown hosts")
@pytest.mark.fault("silence before the headers or in the body")
@pytest.mark.fault("a slow drip of the body")
@pytest.mark.fault("a body cut short of its length, or between chunks")
@pytest.mark.fault("a body cut without a length, or with a wrong one")
@pytest.mark.fault("more than registered, without end")
@pytest.mark.fault("wrong bytes, a page to sign in")
@pytest.mark.fault("the digits of MNIST for clothes")
@pytest.mark.fault("redirects in a loop, or to a file")
def test_each_fault_has_its_reason_and_leads_to_the_next_mirror(server, closed, download, monkeypatch, fault):
    monkeypatch.setitem(fetch.LOOK_ALIKES, sha256(DIGITS), "the test labels of MNIST")
    action, reason, hits = FAULTS[fault]
    policy = {"timed out": {"read_s": 0.1}, "too slow": {"total_s": 0.1, "slowest": 1e9}}.get(reason, {})
    bad = server.route("/a", action)

    error = download.fails(bad, closed, **policy)

    assert error == message(f"{bad}: {reason}", f"{closed}: Connection refused")
    assert server.hits == ["/a"] * hits
    assert download.pauses == ([1, 2, 4] if hits == 4 else [])
    assert server.sent < 32 << 20, "what is read, and what the sockets hold"


@pytest.mark.fault("an archive so large that a sound line takes long for it")
def test_large_archive_gets_more_time(server, download, monkeypatch):
    drops = [BODY[start : start + 20000] for start in range(0, len(BODY), 20000)]
    address = server.route("/a", drip(SIZED, drops, 0))
    clock = itertools.count(0, 100).__next__  # seconds, at each look
    monkeypatch.setattr(fetch.time, "monotonic", clock)

    assert "too slow" in download.fails(address, total_s=250, slowest=len(BODY))
    download.succeeds(address, total_s=250, slowest=len(BODY) / 100_000)


@pytest.mark.parametrize("cut", [close, say(SIZED + BODY[:1000]), reply(503)])
@pytest.mark.fault("a body cut short of its length, or between chunks")
@pytest.mark.fault("a server that is broken or busy for a while")
def test_temporary_failures_are_retried(server, download, cut):
    download.succeeds(server.route("/a", cut, cut, reply(200, BODY)))

    assert server.hits == ["/a", "/a", "/a"]
    assert download.pauses == [1, 2]


@pytest.mark.parametrize(("asked", "pauses"), [("7", [7]), ("3600", [60]), ("soon", [1]), ("0", [1])])
@pytest.mark.fault("a server that is broken or busy for a while")
def test_busy_server_may_ask_for_a_longer_pause(server, download, asked, pauses):
    download.succeeds(server.route("/a", reply(429, Retry_After=asked), reply(200, BODY)))

    assert download.pauses == pauses


@pytest.mark.fault("an archive said to be gzip-encoded; a bomb in transit")
def test_content_encoding_is_not_undone(server, download):
    """The hash of a .gz file is that of its compressed bytes, whatever the server says about them."""
    pin = datasets.Pin(size=len(BOMB), sha256=sha256(BOMB))

    download(server.route("/a", reply(200, BOMB, Content_Encoding="gzip")), pin=pin)

    assert download.target.read_bytes() == BOMB
    assert server.headers[0]["Accept-Encoding"] == "identity"


@pytest.mark.fault("refused connections, unknown hosts")
def test_unknown_host_is_not_retried(download, monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert download.fails("http://a.invalid/a") == message("http://a.invalid/a: Name or service not known")
    assert download.pauses == []


@pytest.mark.fault("every mirror has the same other file")
def test_the_same_other_file_everywhere_puts_the_pins_in_doubt(server, download):
    first, second = server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, OTHER))

    assert download.fails(first, second, error=DataError) == message(
        f"{first}: {wrong(OTHER)}",
        f"{second}: {wrong(OTHER)}",
        what="every address serves the same other file: the card may be wrong or upstream changed",
        fix="if you want that file, correct size and sha256 in the card (wc -c and sha256sum), then dvc repro",
    )


def test_redirect_to_another_host_is_followed_without_the_credentials(server, download):
    with Server().serving() as elsewhere:
        target = elsewhere.route("/b", reply(200, BODY))
        address = server.route("/a", reply(302, Location=target)).replace("//", "//user:secret@")

        download.succeeds(address)

    assert (server.hits, elsewhere.hits) == (["/a"], ["/b"])
    assert "Authorization" in server.headers[0]
    assert "Authorization" not in elsewhere.headers[0]


@pytest.mark.fault("a redirect with a body without end")
def test_the_body_of_a_redirect_is_not_read(server, download):
    server.route("/b", reply(200, BODY))

    download.succeeds(server.route("/a", pour(b"HTTP/1.0 302 Found\r\nLocation: /b\r\n\r\n")))

    assert server.sent < 32 << 20


@pytest.mark.fault("passwords in addresses, tokens behind them")
def test_credentials_reach_the_server_and_no_message(server, download):
    server.route("/a", reply(200, BODY), reply(404))
    address = server.address.replace("//", "//user:secret@") + "/a"

    served = download.succeeds(address)
    download.target.write_bytes(b"old")
    refused = download.fails(address, "http://user:secret@[", "http://user:secret@host:port/")

    assert server.headers[0]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    for text in (served, refused):
        assert "***@127.0.0.1" in text
        assert "secret" not in text and "user" not in text


@pytest.mark.fault("proxies")
def test_proxy_is_used_and_blamed_without_its_credentials(server, download, monkeypatch, closed):
    monkeypatch.setenv("HTTP_PROXY", server.address.replace("//", "//user:secret@"))
    server.routes["http://mirror.invalid/a"] = itertools.repeat(reply(200, BODY))
    download.succeeds("http://mirror.invalid/a")
    assert server.headers[0]["Proxy-Authorization"] == "Basic dXNlcjpzZWNyZXQ="

    download.target.write_bytes(b"old")
    monkeypatch.setenv("HTTP_PROXY", closed.replace("//", "//user:secret@"))
    assert download.fails("http://mirror.invalid/a") == message(
        "http://mirror.invalid/a: the proxy: Connection refused"
    )


@pytest.mark.fault("no network, but the archives in a folder")
@pytest.mark.fault("a folder for a mirror that lacks a file, or has another one")
def test_file_in_a_folder_is_checked_as_any_other(server, download, tmp_path):
    own, right = tmp_path / "archive", server.route("/a", reply(200, BODY))
    own.write_bytes(OTHER)
    nowhere = str(tmp_path / "nowhere")

    assert f"{own}: {wrong(OTHER)}" in download.fails(str(own), error=DataError)
    assert download.fails(nowhere, str(tmp_path)) == message(
        f"{nowhere}: No such file or directory", f"{tmp_path}: Is a directory"
    )
    assert download.succeeds(nowhere, str(own), right) == right


@pytest.mark.fault("a file where the folder should be")
def test_trouble_with_the_disk_is_no_fault_of_the_mirror(server, tmp_path):
    (tmp_path / "raw").write_bytes(b"a file where the folder should be")

    with pytest.raises(OSError) as caught:
        fetch.fetch(FILE, PIN, [server.route("/a", reply(200, BODY))], tmp_path / "raw" / FILE)

    assert caught.value.filename == str(tmp_path / "raw")
    assert server.hits == []
