"""The addresses, the decisions and the transfer of archives, against a server on loopback that misbehaves on demand."""

import contextlib
import gzip
import hashlib
import http.client
import itertools
import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import urllib3

from stages import datasets
from stages.command import NetworkError
from stages.download import mirrors

ROOT = Path(__file__).parents[3]

FILE = "t10k-labels-idx1-ubyte.gz"
BODY = bytes(range(251)) * 800  # spans several blocks, and no block begins as another does
OTHER = BODY[::-1]
HTML = b"\r\n<!DOCTYPE html><title>Please sign in</title>"


def sha256(body):
    return hashlib.sha256(body).hexdigest()


ARCHIVE = datasets.Archive(file=FILE, size=len(BODY), sha256=sha256(BODY))


class Server(ThreadingHTTPServer):
    """Does at each path what `routes` says, or answers 404.

    `hits` are the paths asked for, `headers` what came with them, `sent` how many bytes `drip` and `pour` got rid of.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.routes, self.hits, self.headers = {}, [], []
        self.sent = 0
        self.closing = threading.Event()

    def route(self, path, *actions):
        """Do the actions in turn, the last one for ever, and return the path's address."""
        self.routes[path] = itertools.chain(actions, itertools.repeat(actions[-1]))
        return self.address + path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.hits.append(self.path)
        self.server.headers.append(self.headers)
        action = next(self.server.routes[self.path]) if self.path in self.server.routes else reply(404)
        self.close_connection = True
        with contextlib.suppress(ConnectionError):
            action(self)

    def log_message(self, *_):
        pass


def reply(status=200, body=b"", **headers):
    """Return the action of answering in full; headers are written with underscores."""

    def act(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def hang(handler):
    handler.server.closing.wait(10)


def hang_in_body(handler):
    reply(200, BODY[:1000], Content_Length=len(BODY))(handler)
    hang(handler)


def drip(handler):
    reply(200, Content_Length=len(BODY))(handler)
    for _ in range(1000):
        handler.wfile.write(b"x")
        handler.server.sent += 1
        time.sleep(0.005)


def pour(handler, status=200, **headers):
    """Send far more than was asked for, until nobody listens."""
    reply(status, **headers)(handler)
    for _ in range(1000):
        handler.server.sent += handler.wfile.write(bytes(1 << 16))


def close_at_once(handler):
    pass


@pytest.fixture(autouse=True)
def straight_to_loopback(monkeypatch):
    """Keep the proxies and the passwords of whoever runs the tests out of them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("NETRC", os.devnull)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def closed():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


class Download:
    """A target with an old file in it, a patience that takes no real time, and the pauses that it would have taken."""

    def __init__(self, folder):
        self.target = folder / FILE
        self.target.write_bytes(b"old")
        self.pauses = []

    def __call__(self, *addresses, archive=ARCHIVE, **patience):
        patience = {"connect_s": 5, "read_s": 5, "sleep": self.pauses.append} | patience
        return mirrors.fetch(archive, addresses, self.target, mirrors.Patience(**patience))

    def fails(self, *addresses, **patience):
        """Return the message, having seen that the old file stays and nothing else does."""
        with pytest.raises(NetworkError) as caught:
            self(*addresses, **patience)
        assert self.target.read_bytes() == b"old"
        assert self.leaves_nothing_else()
        return str(caught.value)

    def succeeds(self, *addresses, **patience):
        """Return the address that served, having seen that its bytes are in place and nothing else is."""
        address = self(*addresses, **patience)
        assert self.target.read_bytes() == BODY
        assert self.leaves_nothing_else()
        return address

    def leaves_nothing_else(self):
        return [path.name for path in self.target.parent.iterdir()] == [FILE]


@pytest.fixture
def download(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    return Download(folder)


def message(*reasons, what="no address serves it"):
    return (
        f"{FILE}: {what} (expected {len(BODY)} bytes with SHA-256 {sha256(BODY)}, got {'; '.join(reasons)}); fix: "
        f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{FILE}"
    )


# Addresses


def test_own_mirror_comes_first_and_has_a_folder_for_each_data_set():
    assert mirrors.addresses("mnist", "a.gz", ["https://x/mnist/", "https://y"], "/srv/sets/") == [
        "/srv/sets/mnist/a.gz",
        "https://x/mnist/a.gz",
        "https://y/a.gz",
    ]


def test_without_own_mirror_the_mirrors_are_tried_in_turn():
    assert mirrors.addresses("mnist", "a.gz", ["https://x/", "https://y/"], "") == ["https://x/a.gz", "https://y/a.gz"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://host/a.gz", "https://host/a.gz"),
        ("/srv/sets/a.gz", "/srv/sets/a.gz"),
        ("https://user:secret@host:8443/a.gz", "https://***@host:8443/a.gz"),
        ("HTTP://secret@host/a.gz", "HTTP://***@host/a.gz"),
        ("https://user:se/cret@host/a.gz", "https://***@host/a.gz"),
        ("https://user:se@cret@host/a.gz", "https://***@host/a.gz"),
        ("https://user:se\ncret@host/a.gz", "https://***@host/a.gz"),
        ("htps://user:secret@host/a.gz", "***@host/a.gz"),
        ("user:secret@host/a.gz", "***@host/a.gz"),
    ],
)
def test_shown_address_has_no_credentials(address, expected):
    assert mirrors.shown(address) == expected


# Decisions

# "abc" is the first test vector of the SHA standard.
ABC = datasets.Archive(file="abc.gz", size=3, sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_right_bytes_have_no_mismatch():
    assert mirrors.mismatch(ABC, 3, ABC.sha256, b"abc") is None


@pytest.mark.parametrize(
    ("size", "digest", "beginning", "reason"),
    [
        (2, "0" * 64, b"ab", f"2 bytes with SHA-256 {'0' * 64}"),
        (2, ABC.sha256, b"ab", f"2 bytes with SHA-256 {ABC.sha256}"),
        (3, "0" * 64, b"abd", f"3 bytes with SHA-256 {'0' * 64}"),
        (4, "0" * 64, b"abcd", "more than 3 bytes"),
        (4, "0" * 64, b"\xef\xbb\xbf\n <html", "looks like an HTML page (proxy or captive portal?)"),
    ],
)
def test_mismatch_says_what_came(size, digest, beginning, reason):
    assert str(mirrors.mismatch(ABC, size, digest, beginning)) == reason


def test_look_alikes_are_the_archives_of_mnist():
    """The hashes stand in two places because this stage may not read both; here they are held together."""
    mnist = datasets.entry("mnist", ROOT / "datasets.yaml")

    splits = {"train": "training", "test": "test"}
    expected = {}
    for role, archive in mnist.archives:
        split, kind = role.split("_")
        expected[archive.sha256] = f"the {splits[split]} {kind} of MNIST"
    assert expected == mirrors.LOOK_ALIKES


@pytest.mark.parametrize(
    ("retry_after", "asked"),
    [
        (None, None),
        ("7", 7),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", None),
        ("9" * 5000, None),
    ],
)
def test_server_may_say_when_to_come_back(retry_after, asked):
    failure = mirrors.refusal(429, retry_after)

    assert isinstance(failure, mirrors.Passing)
    assert failure.asked_wait_s == asked


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 407, 410, 451])
def test_refusals_are_final_unless_the_server_is_busy_or_broken(status):
    failure = mirrors.refusal(status, "7")

    assert str(failure) == f"HTTP {status}"
    assert not isinstance(failure, mirrors.Passing)


@pytest.mark.parametrize(
    ("cause", "reason", "passing"),
    [
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "the connection was dropped", True),
        (BrokenPipeError(32, "Broken pipe"), "the connection was dropped", True),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "certificate verify failed", False),
        (OSError(101, "Network is unreachable"), "Network is unreachable", False),
        (OSError("Tunnel connection failed: 407"), "Tunnel connection failed: 407", False),
        (http.client.BadStatusLine("user:secret"), "BadStatusLine", False),
        (None, "ConnectionError", False),
    ],
)
def test_trouble_is_told_by_its_cause_and_not_by_the_text_of_a_library(cause, reason, passing):
    """requests raises its exceptions while it handles those of urllib3, which are raised from the system's."""
    middle = urllib3.exceptions.ProtocolError("http://user:secret@host/")
    middle.__cause__ = cause
    error = requests.ConnectionError("http://user:secret@host/")
    error.__context__ = middle

    failure = mirrors.trouble(error)

    assert str(failure) == reason
    assert isinstance(failure, mirrors.Passing) == passing


@pytest.mark.parametrize(
    ("address", "location", "expected"),
    [
        ("https://a/x/y", "z", "https://a/x/z"),
        ("https://a/x", "//b/y", "https://b/y"),
        ("https://a/x", "https://b/y", "https://b/y"),
        ("http://a/x", "https://b/y", "https://b/y"),
        ("http://a/x", "http://b/y", "http://b/y"),
    ],
)
def test_redirects_to_any_host_are_followed(address, location, expected):
    assert mirrors.redirected(address, location) == expected


@pytest.mark.parametrize(
    ("address", "location", "reason"),
    [
        ("https://a/x", "http://a/x", "a redirect to http:, refused"),
        ("https://a/x", "HTTP://a/x", "a redirect to http:, refused"),
        ("http://a/x", "file:///etc/passwd", "a redirect to file:, refused"),
        ("http://a/x", "ftp://a/x", "a redirect to ftp:, refused"),
        ("http://a/x", "http://[", "a redirect to what is no address"),
    ],
)
def test_redirects_to_less_are_refused(address, location, reason):
    with pytest.raises(mirrors.Failed) as caught:
        mirrors.redirected(address, location)
    assert str(caught.value) == reason


# Transfers


def test_right_archive_replaces_the_old_one(server, download):
    address = server.route("/a", reply(200, BODY, Content_Length=len(BODY)))

    assert download.succeeds(address) == address
    assert server.headers[0]["Accept-Encoding"] == "identity"


def test_target_folder_is_made(server, tmp_path):
    target = tmp_path / "data" / "raw" / FILE

    mirrors.fetch(ARCHIVE, [server.route("/a", reply(200, BODY))], target)

    assert target.read_bytes() == BODY


def test_chunked_body_is_put_together(server, download):
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:70000], BODY[70000:], b""))

    download.succeeds(server.route("/a", reply(200, chunked, Transfer_Encoding="chunked")))


def test_address_may_be_in_capitals(server, download):
    download.succeeds(server.route("/a", reply(200, BODY)).replace("http", "HTTP"))


def test_part_of_a_file_is_no_answer(server, download):
    """Nobody asked for a range; whatever answers so is not to be relied upon, even if the bytes are right."""
    address = server.route("/a", reply(206, BODY))

    assert download.fails(address) == message(f"{address}: HTTP 206")


def test_content_encoding_is_not_undone(server, download):
    """A .gz file that the server calls gzip-encoded is kept as it is: its hash is that of the compressed bytes."""
    body = gzip.compress(BODY, mtime=0)
    archive = datasets.Archive(file=FILE, size=len(body), sha256=sha256(body))

    download(server.route("/a", reply(200, body, Content_Encoding="gzip")), archive=archive)

    assert download.target.read_bytes() == body


@pytest.mark.parametrize("status", [404, 410])
def test_missing_file_is_looked_for_at_the_next_mirror_at_once(server, download, status):
    first, second = server.route("/a", reply(status)), server.route("/b", reply(200, BODY))

    assert download.succeeds(first, second) == second
    assert server.hits == ["/a", "/b"]
    assert download.pauses == []


def test_broken_server_is_asked_three_times_if_the_third_answer_is_right(server, download):
    download.succeeds(server.route("/a", reply(500), reply(503), reply(200, BODY)))

    assert server.hits == ["/a", "/a", "/a"]
    assert download.pauses == [1, 2]


def test_server_broken_for_good_is_given_up(server, download):
    address = server.route("/a", reply(502))

    assert download.fails(address) == message(f"{address}: HTTP 502")
    assert download.pauses == [1, 2, 4]
    assert len(server.hits) == 4


def test_busy_server_is_left_alone_as_long_as_it_asks(server, download):
    download.succeeds(server.route("/a", reply(429, Retry_After="7"), reply(200, BODY)))

    assert download.pauses == [7]


def test_no_wait_is_longer_than_ours(server, download):
    download.succeeds(server.route("/a", reply(429, Retry_After="3600"), reply(200, BODY)), longest_wait_s=60)

    assert download.pauses == [60]


def test_no_wait_goes_beyond_the_deadline(server, download):
    download.fails(server.route("/a", reply(429, Retry_After="30")), deadline_s=20)

    assert download.pauses == []


def test_all_of_the_failures_are_in_the_one_message(server, download, closed):
    missing, broken = server.route("/a", reply(404)), server.route("/b", reply(200, OTHER))

    assert download.fails(missing, closed, broken) == message(
        f"{missing}: HTTP 404",
        f"{closed}: Connection refused",
        f"{broken}: {len(OTHER)} bytes with SHA-256 {sha256(OTHER)}",
    )
    assert download.pauses == []


def test_unknown_host_is_not_asked_for_again(download, monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert download.fails("http://mirror.invalid/a") == message(
        "http://mirror.invalid/a: unknown host (Name or service not known)"
    )
    assert download.pauses == []


def test_server_without_tls_is_not_taken_for_one_with_it(server, download):
    address = server.address.replace("http", "https") + "/a"

    assert f"{address}: [SSL" in download.fails(address)
    assert server.hits == download.pauses == []


@pytest.mark.parametrize("action", [hang, hang_in_body])
def test_silence_ends_with_the_read_time_out(server, download, action):
    address = server.route("/a", action)

    assert download.fails(address, read_s=0.1) == message(f"{address}: timed out")
    assert server.hits == ["/a"]


def test_slow_drip_ends_with_the_deadline(server, download):
    """Each byte is in time for the read time-out; the clock is one that goes a second further at each look."""
    address = server.route("/a", drip)

    reason = download.fails(address, deadline_s=20, clock=itertools.count().__next__)

    assert reason == message(f"{address}: not done after 20 s")
    assert server.sent < 100


@pytest.mark.parametrize(
    "cut",
    [
        close_at_once,
        reply(200, BODY[:1000], Content_Length=len(BODY)),
        reply(200, b"3e8\r\n" + BODY[:1000] + b"\r\n", Transfer_Encoding="chunked"),
        reply(200, b"3e8\r\n" + BODY[:500], Transfer_Encoding="chunked"),
    ],
    ids=["no answer", "with length", "between chunks", "in a chunk"],
)
def test_dropped_connection_is_tried_again_then_the_next_mirror(server, download, cut):
    download.succeeds(server.route("/a", cut, reply(200, BODY)))
    assert server.hits == ["/a", "/a"]

    second = server.route("/b", reply(200, BODY))
    assert download.succeeds(server.route("/a", cut), second) == second

    download.target.write_bytes(b"old")
    assert download.fails(server.address + "/a") == message(f"{server.address}/a: the connection was dropped")


@pytest.mark.parametrize("headers", [{}, {"Content_Length": 1000}], ids=["without length", "wrong length"])
def test_short_body_is_refused(server, download, headers):
    short, right = server.route("/a", reply(200, BODY[:1000], **headers)), server.route("/b", reply(200, BODY))

    reason = f"{short}: 1000 bytes with SHA-256 {sha256(BODY[:1000])}"
    assert download.fails(short, right + "0") == message(reason, f"{right}0: HTTP 404")
    assert download.succeeds(short, right) == right


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}], ids=["plain", "encoded"])
def test_endless_body_is_cut_off(server, download, headers):
    endless, missing = server.route("/a", lambda handler: pour(handler, **headers)), server.address + "/b"

    assert download.fails(endless, missing) == message(
        f"{endless}: more than {len(BODY)} bytes", f"{missing}: HTTP 404"
    )
    assert server.sent < 32 << 20, "what is read, and what the sockets hold"


def test_body_too_long_by_one_byte_is_refused(server, download):
    long = server.route("/a", reply(200, BODY + b"x"))

    assert f"{long}: more than {len(BODY)} bytes" in download.fails(long)


def test_no_more_than_one_byte_too_many_is_written(server, download, tmp_path):
    archive = datasets.Archive(file=FILE, size=1000, sha256=sha256(BODY[:1000]))
    written = tmp_path / "written"

    with pytest.raises(mirrors.Failed):
        mirrors._receive(archive, server.route("/a", pour), written, float("inf"), mirrors.PATIENCE)

    assert written.stat().st_size == 1001


def test_portal_page_is_recognised(server, download):
    portal, right = server.route("/a", reply(200, HTML)), server.route("/b", reply(200, BODY))
    reason = "looks like an HTML page (proxy or captive portal?)"

    assert download.fails(portal, portal) == message(f"{portal}: {reason}", f"{portal}: {reason}")
    assert download.succeeds(portal, right) == right


def test_look_alike_is_named(server, download, monkeypatch):
    monkeypatch.setitem(mirrors.LOOK_ALIKES, sha256(OTHER), "the test labels of MNIST")
    digits, right = server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, BODY))

    assert download.fails(digits) == message(f"{digits}: serves the test labels of MNIST instead")
    assert download.succeeds(digits, right) == right


def test_same_other_file_everywhere_puts_the_blame_on_the_hash(server, download):
    first, second = server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, OTHER))
    reason = f"{len(OTHER)} bytes with SHA-256 {sha256(OTHER)}"

    assert download.fails(first, second) == message(
        f"{first}: {reason}",
        f"{second}: {reason}",
        what="every address serves the same other file: datasets.yaml may be wrong or upstream changed",
    )


def test_different_other_files_put_the_blame_on_the_mirrors(server, download):
    first, second = server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, BODY[:-1] + b"x"))

    assert download.fails(first, second).startswith(f"{FILE}: no address serves it (")


# Redirects


def test_redirects_are_followed_to_the_hash(server, download):
    server.route("/b", reply(307, Location="c"))
    server.route("/c", reply(200, BODY))

    download.succeeds(server.route("/a", reply(302, Location=server.address + "/b")))

    assert server.hits == ["/a", "/b", "/c"]


def test_redirects_in_a_loop_end(server, download):
    loop = server.route("/a", reply(301, Location="/a"))

    assert download.fails(loop) == message(f"{loop}: more than 10 redirects")
    assert len(server.hits) == 11


def test_redirect_to_a_file_is_refused(server, download, tmp_path):
    (tmp_path / "bait").write_bytes(BODY)
    address = server.route("/a", reply(302, Location=(tmp_path / "bait").as_uri()))

    assert download.fails(address) == message(f"{address}: a redirect to file:, refused")


def test_redirect_with_an_endless_body_is_followed_unread(server, download):
    server.route("/b", reply(200, BODY))

    download.succeeds(server.route("/a", lambda handler: pour(handler, 302, Location="/b")))

    assert server.sent < 32 << 20


# Credentials and proxies


def test_credentials_reach_the_server_and_nobody_else(server, download):
    server.route("/a", reply(200, BODY), reply(404))
    address = server.address.replace("//", "//user:secret@") + "/a"

    served = download.succeeds(address)
    download.target.write_bytes(b"old")
    refused = download.fails(address)

    assert server.headers[0]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    for text in (served, refused):
        assert "***@127.0.0.1" in text
        assert "secret" not in text
        assert "user" not in text


@pytest.mark.parametrize(
    "address", ["http://user:secret@[", "http://user:secret@host:port/", "http://пароль:secret@a/"]
)
def test_addresses_that_are_none_are_refused_without_their_credentials(download, address):
    assert "secret" not in download.fails(address)


def test_proxy_is_honoured(server, download, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.address.replace("//", "//user:secret@"))
    server.routes["http://mirror.invalid/a"] = itertools.repeat(reply(200, BODY))

    download.succeeds("http://mirror.invalid/a")

    assert server.headers[0]["Proxy-Authorization"] == "Basic dXNlcjpzZWNyZXQ="


def test_proxy_that_does_not_answer_is_blamed_without_its_credentials(download, monkeypatch, closed):
    for scheme in ("HTTP", "HTTPS"):
        monkeypatch.setenv(f"{scheme}_PROXY", closed.replace("//", "//user:secret@"))

    assert download.fails("http://mirror.invalid/a", "https://mirror.invalid/a") == message(
        "http://mirror.invalid/a: the proxy: Connection refused",
        "https://mirror.invalid/a: the proxy: Connection refused",
    )


def test_no_proxy_is_honoured(server, download, monkeypatch, closed):
    monkeypatch.setenv("HTTP_PROXY", closed)

    download.succeeds(server.route("/a", reply(200, BODY)))


# Folders


def test_folder_needs_no_connection(server, download, tmp_path, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection"))
    (tmp_path / "archive").write_bytes(BODY)

    served = download.succeeds(str(tmp_path / "archive"), server.route("/a", reply(200, BODY)))

    assert served == str(tmp_path / "archive")
    assert server.hits == []


def test_file_in_a_folder_is_checked_as_any_other(server, download, tmp_path):
    own, right = tmp_path / "archive", server.route("/a", reply(200, BODY))
    own.write_bytes(OTHER)

    assert f"{own}: {len(OTHER)} bytes with SHA-256 {sha256(OTHER)}" in download.fails(str(own))
    assert download.succeeds(str(own), right) == right


def test_what_is_no_file_is_passed_over(download, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    places = [str(tmp_path / name) for name in ("pipe", "nowhere")] + [str(tmp_path)]

    assert download.fails(*places) == message(*(f"{place}: no such file" for place in places))


# The disk


def test_trouble_with_the_disk_is_no_trouble_of_the_mirror(server, tmp_path):
    (tmp_path / "raw").write_bytes(b"a file where the folder should be")

    with pytest.raises(OSError) as caught:
        mirrors.fetch(ARCHIVE, [server.route("/a", reply(200, BODY))], tmp_path / "raw" / FILE)

    assert caught.value.filename == str(tmp_path / "raw")
    assert server.hits == []
