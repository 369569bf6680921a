"""The addresses, the decisions and the transfer of archives, against a server on loopback that misbehaves on demand."""

import gzip
import hashlib
import itertools
import os
import socket
from pathlib import Path

import pytest

from core.cli.errors import DataError, InputError, NetworkError
from core.config import datasets
from stages.download import mirrors, transport
from tests.stages.download.loopback import CHUNKED, OK, Handler, Server, close, drip, hang, pour, reply, say

ROOT = Path(__file__).parents[3]

FILE = "t10k-labels-idx1-ubyte.gz"
BODY = bytes(range(251)) * 800  # spans several blocks, and no block begins as another does
OTHER = BODY[::-1]
DIGITS = BODY[1:] + BODY[:1]
HTML = b"\r\n<!DOCTYPE html><title>Please sign in</title>"
BOMB = gzip.compress(bytes(16 << 20), mtime=0)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


ARCHIVE = datasets.Archive(file=FILE, size=len(BODY), sha256=sha256(BODY))


def seconds():
    """Return a clock that goes a second further at each look, so that a deadline takes no real time."""
    return itertools.count().__next__


class Download:
    """A target with an old file in it, a patience that takes no real time, and the pauses that it would have taken."""

    def __init__(self, folder):
        self.target = folder / FILE
        self.target.write_bytes(b"old")
        self.pauses = []

    def __call__(self, *addresses, archive=ARCHIVE, **patience):
        patience = {"connect_s": 5, "read_s": 5, "sleep": self.pauses.append} | patience
        return mirrors.fetch(archive, addresses, self.target, transport.Patience(**patience))

    def fails(self, *addresses, error=NetworkError, **patience):
        """Return the message, having seen that the old file stays and nothing else does."""
        with pytest.raises(error) as caught:
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


ELSEWHERE = f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{FILE}"


def message(*reasons, what="no address serves it", fix=ELSEWHERE):
    expected = f"{len(BODY)} bytes with SHA-256 {sha256(BODY)}"
    return f"{FILE}: {what} (expected {expected}, got {'; '.join(reasons)}); fix: {fix}"


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
    "own_mirror",
    [
        "http://127.0.0.1:8000/",
        "HTTP://127.1.2.3",
        "http://[::1]:1",
        "http://localhost",
        "http://LocalHost:1/a",
        "https://host/",
        "http/",
        "/srv/http:/",
    ],
)
def test_own_mirror_may_be_without_tls_on_this_machine(own_mirror):
    assert mirrors.addresses("mnist", "a.gz", [], own_mirror) == [f"{own_mirror.rstrip('/')}/mnist/a.gz"]


@pytest.mark.parametrize(
    "own_mirror",
    [
        "http://host/",
        "HTTP://10.0.0.1",
        "http://128.0.0.1",
        "http://[::2]/",
        "http://127.0.0.1.host/",
        "http://[",
        "http://localhost.host",
        "http://127.0.0.1@host/",
        "http://host\\@127.0.0.1/",
        "http://host#@127.0.0.1",
        "http://",
    ],
)
def test_own_mirror_without_tls_elsewhere_is_refused(own_mirror):
    with pytest.raises(InputError, match="DATASET_MIRROR: http is for a server on this machine alone"):
        mirrors.addresses("mnist", "a.gz", [], own_mirror)


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
        ("https://user%3Asecret%40host/a.gz", "https://***@host/a.gz"),
        ("https://user:se%40cret@host/a.gz", "https://***@host/a.gz"),
        ("https://host/a?token=secret/mnist/a.gz", "https://host/a?***"),
        ("https:/host/a?token=secret/mnist/a.gz", "https:/host/a?***"),
        ("https://host/a#secret/mnist/a.gz", "https://host/a?***"),
        ("/srv/a set?/a.gz", "/srv/a set?/a.gz"),
        ("/srv/two\nlines/a.gz", "/srv/two\\nlines/a.gz"),
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


@pytest.mark.fault("the digits of MNIST for clothes")
def test_look_alikes_are_the_archives_of_mnist():
    """The hashes stand in two places because this stage may not read both; here they are held together."""
    mnist = datasets.entry("mnist", ROOT / "datasets.yaml")

    splits = {"train": "training", "test": "test"}
    expected = {}
    for role, archive in mnist.archives:
        split, kind = role.split("_")
        expected[archive.sha256] = f"the {splits[split]} {kind} of MNIST"
    assert expected == mirrors.LOOK_ALIKES


# What servers do wrong


def wrong(body):
    return f"{len(body)} bytes with SHA-256 {sha256(body)}"


TOO_LONG = f"more than {len(BODY)} bytes"
DROPPED = "the connection was dropped"
LATE = "not done after 20 s"
NO_HTTP = "no proper HTTP answer"
SIZED = OK + b"Content-Length: %d\r\n" % len(BODY)
WHOLE = CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n"

IMPATIENT = {"read_s": 0.1}
TICKING = {"deadline_s": 20}

# What the server does, the reason that is given for not using it, how often it is asked, and with which patience.
FAULTS = {
    "404": (reply(404), "HTTP 404", 1),
    "410": (reply(410), "HTTP 410", 1),
    "204, no content": (reply(204), "HTTP 204", 1),
    "206, a part, though with the right bytes": (reply(206, BODY), "HTTP 206", 1),
    "500 for good": (reply(500), "HTTP 500", 4),
    "429 for good": (reply(429, Retry_After="0"), "HTTP 429", 4, {"pauses": [0, 0, 0]}),
    "no answer, and the connection closed": (close, DROPPED, 4),
    "hangs before the headers": (hang(), "timed out", 1, IMPATIENT),
    "hangs in the headers": (hang(OK + b"Content-Le"), "timed out", 1, IMPATIENT),
    "hangs in the body": (hang(SIZED + b"\r\n" + BODY[:1000]), "timed out", 1, IMPATIENT),
    "hangs in a chunk": (hang(CHUNKED + b"3e8\r\n" + BODY[:500]), "timed out", 1, IMPATIENT),
    "drips the status line": (drip(b"HTTP/1.1 200 ", b"O"), LATE, 1, TICKING),
    "drips the headers": (drip(OK, b"X"), LATE, 1, TICKING),
    "drips answers to be continued": (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), LATE, 1, TICKING),
    "drips the body": (drip(SIZED + b"\r\n", b"x"), LATE, 1, TICKING),
    "drips a chunk's size": (drip(CHUNKED, b"0"), LATE, 1, TICKING),
    "drips chunks": (drip(CHUNKED, b"1\r\nx\r\n"), LATE, 1, TICKING),
    "drips what follows the last chunk": (drip(WHOLE, b"X: y\r\n"), LATE, 1, TICKING),
    "cut, right length": (say(SIZED + b"\r\n" + BODY[:1000]), DROPPED, 4),
    "cut between chunks": (say(CHUNKED + b"3e8\r\n" + BODY[:1000] + b"\r\n"), DROPPED, 4),
    "cut in a chunk": (say(CHUNKED + b"3e8\r\n" + BODY[:500]), DROPPED, 4),
    "cut, no length": (say(OK + b"\r\n" + BODY[:1000]), wrong(BODY[:1000]), 1),
    "cut, wrong length": (reply(200, BODY[:1000], Content_Length=1000), wrong(BODY[:1000]), 1),
    "length beyond the end of the right body": (reply(200, BODY, Content_Length=len(BODY) + 1), DROPPED, 4),
    "length not a number": (reply(200, OTHER, Content_Length="many"), wrong(OTHER), 1),
    "empty body": (reply(200), wrong(b""), 1),
    "one byte too many": (reply(200, BODY + b"x"), TOO_LONG, 1),
    "endless body": (pour(OK + b"\r\n"), TOO_LONG, 1),
    "endless body, said to be gzip-encoded": (pour(OK + b"Content-Encoding: gzip\r\n\r\n"), TOO_LONG, 1),
    "endless chunks": (pour(CHUNKED, b"10000\r\n" + bytes(1 << 16) + b"\r\n"), TOO_LONG, 1),
    "endless headers": (pour(OK, b"X: y\r\n" * 1000), f"{NO_HTTP} (HTTPException)", 1),
    "endless header": (pour(OK + b"X: "), f"{NO_HTTP} (LineTooLong)", 1),
    "endless chunk's size": (pour(CHUNKED, b"0" * 1000), f"{NO_HTTP} (LineTooLong)", 1),
    "chunk's size not a number": (say(CHUNKED + b"many\r\n"), DROPPED, 4),
    "another protocol": (say(b"SSH-2.0-OpenSSH_9.6\r\n"), f"{NO_HTTP} (BadStatusLine)", 1),
    "wrong bytes": (reply(200, OTHER), wrong(OTHER), 1),
    "HTML with 200": (reply(200, HTML), "looks like an HTML page (proxy or captive portal?)", 1),
    "MNIST for Fashion-MNIST": (reply(200, DIGITS), "serves the test labels of MNIST instead", 1),
    "gzip bomb": (reply(200, BOMB, Content_Encoding="gzip"), wrong(BOMB), 1),
    "gzip bomb in transit": (reply(200, BOMB, Transfer_Encoding="gzip"), wrong(BOMB), 1),
    "redirects in a loop": (reply(301, Location="/a"), "more than 10 redirects", 11),
    "redirect to a file": (reply(302, Location="file:///etc/hostname"), "a redirect to file:, refused", 1),
    "redirect to ftp": (reply(302, Location="ftp://127.0.0.1/a"), "a redirect to ftp:, refused", 1),
    "redirect to no address": (reply(302, Location="http://["), "a redirect to what is no address", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.fault("not found, gone")
@pytest.mark.fault("refused connections, unknown hosts")
@pytest.mark.fault("silence before the headers or in the body")
@pytest.mark.fault("a slow drip, wherever in the answer")
@pytest.mark.fault("a body cut short of its length, or between chunks")
@pytest.mark.fault("a body cut without a length, or with a wrong one")
@pytest.mark.fault("more than registered, without end")
@pytest.mark.fault("wrong bytes, a page to sign in")
@pytest.mark.fault("the digits of MNIST for clothes")
def test_each_fault_has_its_reason_and_leads_to_the_next_mirror(server, closed, download, monkeypatch, fault):
    """The old file stays, nothing of the new one does, and the server is not asked once more than it may help."""
    monkeypatch.setitem(mirrors.LOOK_ALIKES, sha256(DIGITS), "the test labels of MNIST")
    action, reason, hits, *more = FAULTS[fault]
    patience = {"clock": seconds()} if more == [TICKING] else {}
    for settings in more:
        patience |= settings
    pauses = patience.pop("pauses", [1, 2, 4])
    bad = server.route("/a", action)

    assert download.fails(bad, closed, **patience) == message(f"{bad}: {reason}", f"{closed}: Connection refused")

    if more == [IMPATIENT]:
        assert server.hanging.wait(60), "for a tenth of a second may be over before the server has had its turn"
    assert server.hits == ["/a"] * hits
    assert download.pauses == (pauses if hits == 4 else [])
    assert server.sent < 32 << 20, "what is read, and what the sockets hold"


@pytest.mark.parametrize("action", [reply(404), close, hang(), reply(200, HTML), reply(200, OTHER), pour(OK + b"\r\n")])
@pytest.mark.fault("wrong bytes, a page to sign in")
def test_right_archive_of_the_next_mirror_is_taken(server, download, tmp_path, action):
    """From a folder, for which the little patience of this test is always enough."""
    (tmp_path / "archive").write_bytes(BODY)

    served = download.succeeds(server.route("/a", action), str(tmp_path / "archive"), read_s=0.1)

    assert served == str(tmp_path / "archive")


@pytest.mark.parametrize("cut", [close, say(SIZED + b"\r\n" + BODY[:1000]), say(CHUNKED + b"3e8\r\n" + BODY[:500])])
@pytest.mark.fault("a body cut short of its length, or between chunks")
def test_dropped_connection_is_tried_again(server, download, cut):
    download.succeeds(server.route("/a", cut, reply(200, BODY)))

    assert server.hits == ["/a", "/a"]
    assert download.pauses == [1]


@pytest.mark.parametrize(
    ("action", "written"),
    [(pour(OK + b"\r\n"), 1001), (reply(200, BODY, Content_Encoding="gzip"), 1001), (reply(200, BODY[:999]), 999)],
    ids=["endless", "encoded", "short"],
)
@pytest.mark.fault("more than registered, without end")
def test_no_more_than_one_byte_too_many_is_written(server, tmp_path, action, written):
    archive = datasets.Archive(file=FILE, size=1000, sha256=sha256(BODY[:1000]))
    deadline = transport.Deadline(mirrors.PATIENCE, archive.size)

    with pytest.raises(mirrors.OtherFile):
        mirrors._receive(archive, server.route("/a", action), tmp_path / "written", deadline, mirrors.PATIENCE)

    assert (tmp_path / "written").stat().st_size == written


@pytest.mark.fault("an archive said to be gzip-encoded; a bomb in transit")
def test_gzip_bomb_is_not_unpacked(server, download):
    """What is hashed and kept are the 16 KiB as served: their right hash is the one proof that no other bytes were."""
    archive = datasets.Archive(file=FILE, size=len(BOMB), sha256=sha256(BOMB))

    download(server.route("/a", reply(200, BOMB, Content_Encoding="gzip")), archive=archive)

    assert download.target.read_bytes() == BOMB


@pytest.mark.fault("a slow drip, wherever in the answer")
def test_deadline_counts_all_tries_and_waits(server, download):
    """Each of them is in time; the clock stands still but for the pauses."""
    now = 0

    def sleep(pause):
        nonlocal now
        now += pause

    bad = server.route("/a", reply(503))

    assert download.fails(bad, deadline_s=5, clock=lambda: now, sleep=sleep) == message(f"{bad}: HTTP 503")
    assert (now, len(server.hits)) == (3, 3), "after 1 and 2 seconds, the 4 of the third wait are no longer there"


@pytest.mark.fault("silence before the headers or in the body")
def test_deadline_ends_a_silence_too(server, download):
    address = server.route("/a", hang(SIZED))

    assert download.fails(address, deadline_s=0.1, slowest=1e9) == message(f"{address}: not done after 0.1 s")


def test_deadline_holds_for_the_answer_of_a_proxy(server, download, monkeypatch):
    """Its answer to CONNECT comes before there is a request."""
    monkeypatch.setenv("HTTPS_PROXY", server.address)
    monkeypatch.setattr(Handler, "do_CONNECT", lambda handler: drip(OK, b"X")(handler), raising=False)

    reason = download.fails("https://mirror.invalid/a", clock=seconds(), deadline_s=20)

    assert reason == message(f"https://mirror.invalid/a: {LATE}")


# Right answers and odd ones


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


@pytest.mark.fault("an archive said to be gzip-encoded; a bomb in transit")
def test_content_encoding_is_not_undone(server, download):
    """A .gz file that the server calls gzip-encoded is kept as it is: its hash is that of the compressed bytes."""
    body = gzip.compress(BODY, mtime=0)
    archive = datasets.Archive(file=FILE, size=len(body), sha256=sha256(body))

    download(server.route("/a", reply(200, body, Content_Encoding="gzip")), archive=archive)

    assert download.target.read_bytes() == body


@pytest.mark.fault("a server that is broken or busy for a while")
def test_broken_server_is_asked_three_times_if_the_third_answer_is_right(server, download):
    download.succeeds(server.route("/a", reply(500), reply(503), reply(200, BODY)))

    assert server.hits == ["/a", "/a", "/a"]
    assert download.pauses == [1, 2]


@pytest.mark.fault("a server that is broken or busy for a while")
def test_busy_server_is_left_alone_as_long_as_it_asks(server, download):
    download.succeeds(server.route("/a", reply(429, Retry_After="7"), reply(200, BODY)))

    assert server.hits == ["/a", "/a"]
    assert download.pauses == [7]


def test_no_wait_is_longer_than_ours(server, download):
    download.succeeds(server.route("/a", reply(429, Retry_After="3600"), reply(200, BODY)), longest_wait_s=60)

    assert download.pauses == [60]


def test_no_wait_goes_beyond_the_deadline(server, download):
    download.fails(server.route("/a", reply(429, Retry_After="30")), deadline_s=20)

    assert download.pauses == []


@pytest.mark.fault("not found, gone")
def test_all_of_the_failures_are_in_the_one_message(server, download, closed):
    missing, broken = server.route("/a", reply(404)), server.route("/b", reply(200, OTHER))

    assert download.fails(missing, closed, broken) == message(
        f"{missing}: HTTP 404",
        f"{closed}: Connection refused",
        f"{broken}: {len(OTHER)} bytes with SHA-256 {sha256(OTHER)}",
    )
    assert download.pauses == []


@pytest.mark.fault("refused connections, unknown hosts")
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


@pytest.mark.fault("every mirror has the same other file")
def test_same_other_file_everywhere_puts_the_blame_on_the_hash(server, download):
    first, second = server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, OTHER))
    reason = f"{len(OTHER)} bytes with SHA-256 {sha256(OTHER)}"

    assert download.fails(first, second, error=DataError) == message(
        f"{first}: {reason}",
        f"{second}: {reason}",
        what="every address serves the same other file: datasets.yaml may be wrong or upstream changed",
        fix="if you want that file, correct size and sha256 in datasets.yaml (wc -c and sha256sum), then dvc repro",
    )


@pytest.mark.fault("every mirror has the same other file")
def test_different_other_files_put_the_blame_on_the_mirrors(server, download):
    first, second = server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, BODY[:-1] + b"x"))

    assert download.fails(first, second, error=DataError).startswith(f"{FILE}: no address serves it (")


def test_other_bytes_are_a_matter_of_the_network_if_one_address_gave_none(server, download, closed):
    download.fails(server.route("/a", reply(200, OTHER)), closed, error=NetworkError)
    download.fails(server.route("/a", reply(200, OTHER)), server.route("/b", reply(200, HTML)), error=NetworkError)


# Redirects


def test_redirects_are_followed_to_the_hash(server, download):
    server.route("/b", reply(307, Location="c"))
    server.route("/c", reply(200, BODY))

    download.succeeds(server.route("/a", reply(302, Location=server.address + "/b")))

    assert server.hits == ["/a", "/b", "/c"]


def test_redirect_to_another_host_is_followed_without_the_credentials(server, download):
    """The hash pins the bytes, whoever serves them; another port is another server."""
    with Server().serving() as elsewhere:
        target = elsewhere.route("/b", reply(200, BODY))
        address = server.route("/a", reply(302, Location=target)).replace("//", "//user:secret@")

        download.succeeds(address)

    assert (server.hits, elsewhere.hits) == (["/a"], ["/b"])
    assert "Authorization" in server.headers[0]
    assert "Authorization" not in elsewhere.headers[0]


@pytest.mark.fault("redirects: in a loop, to files, to FTP, away from TLS or this machine, elsewhere")
def test_redirect_from_tls_to_none_is_refused(tls_server, server, download):
    bait = server.route("/a", reply(200, BODY))
    address = tls_server.route("/a", reply(302, Location=bait))

    assert download.fails(address) == message(f"{address}: a redirect to http:, refused")
    assert (tls_server.hits, server.hits) == (["/a"], [])


def test_redirect_with_an_endless_body_is_followed_unread(server, download):
    server.route("/b", reply(200, BODY))

    download.succeeds(server.route("/a", pour(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n")))

    assert server.sent < 32 << 20


# TLS


def test_archive_comes_over_tls_and_so_does_the_deadline(tls_server, download):
    download.succeeds(tls_server.route("/a", reply(200, BODY)))

    download.target.write_bytes(b"old")
    address = tls_server.route("/a", drip(CHUNKED, b"0"))
    assert download.fails(address, clock=seconds(), deadline_s=20) == message(f"{address}: {LATE}")


def test_certificate_of_nobody_known_is_refused(tls_server, download, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    address = tls_server.route("/a", reply(200, BODY))

    assert f"{address}: [SSL: CERTIFICATE_VERIFY_FAILED]" in download.fails(address)
    assert tls_server.hits == []


def test_missing_certificates_are_named(download, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")

    assert "https://127.0.0.1/a: Could not find a suitable TLS CA certificate bundle" in download.fails(
        "https://127.0.0.1/a"
    )


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


@pytest.mark.fault("proxies")
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


@pytest.mark.fault("proxies")
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


@pytest.mark.fault("no network, but the archives in a folder")
def test_file_in_a_folder_is_checked_as_any_other(server, download, tmp_path):
    own, right = tmp_path / "archive", server.route("/a", reply(200, BODY))
    own.write_bytes(OTHER)

    assert f"{own}: {wrong(OTHER)}" in download.fails(str(own), error=DataError)
    assert download.succeeds(str(own), right) == right


def test_deadline_holds_for_a_folder(download, tmp_path):
    """Which may be on a slow disk of another machine; there are four blocks to read."""
    (tmp_path / "archive").write_bytes(BODY)

    reason = download.fails(str(tmp_path / "archive"), clock=seconds(), deadline_s=3)

    assert reason == message(f"{tmp_path / 'archive'}: not done after 3 s")


def test_what_is_no_file_is_passed_over(download, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    places = [str(tmp_path / name) for name in ("pipe", "nowhere")] + [str(tmp_path)]

    assert download.fails(*places) == message(*(f"{place}: no such file" for place in places))


# The disk


@pytest.mark.fault("a file where the folder should be")
def test_trouble_with_the_disk_is_no_trouble_of_the_mirror(server, tmp_path):
    (tmp_path / "raw").write_bytes(b"a file where the folder should be")

    with pytest.raises(OSError) as caught:
        mirrors.fetch(ARCHIVE, [server.route("/a", reply(200, BODY))], tmp_path / "raw" / FILE)

    assert caught.value.filename == str(tmp_path / "raw")
    assert server.hits == []
