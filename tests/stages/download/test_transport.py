"""What answers, failures and redirects mean, and how long an address is waited for; that servers which misbehave lead
to these is shown in test_mirrors.py.
"""

import http.client
import ssl

import pytest
import requests
import urllib3

from stages.download import transport


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
    failure = transport.refusal(429, retry_after)

    assert isinstance(failure, transport.Passing)
    assert failure.asked_wait_s == asked


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 407, 410, 451])
def test_refusals_are_final_unless_the_server_is_busy_or_broken(status):
    failure = transport.refusal(status, "7")

    assert str(failure) == f"HTTP {status}"
    assert not isinstance(failure, transport.Passing)


@pytest.mark.parametrize(
    ("cause", "reason", "passing"),
    [
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "the connection was dropped", True),
        (BrokenPipeError(32, "Broken pipe"), "the connection was dropped", True),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "certificate verify failed", False),
        (OSError(101, "Network is unreachable"), "Network is unreachable", False),
        (OSError("Tunnel connection failed: 407"), "Tunnel connection failed: 407", False),
        (http.client.BadStatusLine("user:secret"), "no proper HTTP answer (BadStatusLine)", False),
        (None, "ConnectionError", False),
    ],
)
def test_trouble_is_told_by_its_cause_and_not_by_the_text_of_a_library(cause, reason, passing):
    """requests raises its exceptions while it handles those of urllib3, which are raised from the system's."""
    middle = urllib3.exceptions.ProtocolError("http://user:secret@host/")
    middle.__cause__ = cause
    error = requests.ConnectionError("http://user:secret@host/")
    error.__context__ = middle

    failure = transport.trouble(error)

    assert str(failure) == reason
    assert isinstance(failure, transport.Passing) == passing


@pytest.mark.parametrize(
    ("address", "location", "expected"),
    [
        ("https://a/x/y", "z", "https://a/x/z"),
        ("https://a/x", "//b/y", "https://b/y"),
        ("https://a/x", "https://b/y", "https://b/y"),
        ("http://a/x", "https://b/y", "https://b/y"),
        ("http://127.0.0.1/x", "http://localhost:1/y", "http://localhost:1/y"),
    ],
)
def test_redirects_to_any_host_are_followed(address, location, expected):
    assert transport.redirected(address, location) == expected


@pytest.mark.parametrize(
    ("address", "location", "reason"),
    [
        ("https://a/x", "http://a/x", "a redirect to http:, refused"),
        ("https://a/x", "HTTP://a/x", "a redirect to http:, refused"),
        ("http://127.0.0.1/x", "http://a/x", "a redirect to http:, refused"),
        ("http://127.0.0.1/x", "//a/x", "a redirect to http:, refused"),
        ("http://a/x", "file:///etc/passwd", "a redirect to file:, refused"),
        ("http://a/x", "ftp://a/x", "a redirect to ftp:, refused"),
        ("http://a/x", "http://[", "a redirect to what is no address"),
    ],
)
@pytest.mark.fault("redirects: in a loop, to files, to FTP, away from TLS or this machine, elsewhere")
def test_redirects_to_less_are_refused(address, location, reason):
    with pytest.raises(transport.Failed) as caught:
        transport.redirected(address, location)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("size", "allowed_s"), [(1, 900), (26_421_880, 900), (90_000_000, 900), (1_000_000_000, 10_000), (4 << 30, 42_949)]
)
@pytest.mark.fault("an archive so large that a sound line takes long for it")
def test_deadline_is_later_for_an_archive_that_takes_longer_on_a_sound_line(size, allowed_s):
    """A hundred kilobytes a second are enough, however large it is."""
    now = 0
    deadline = transport.Deadline(transport.Patience(clock=lambda: now), size)

    now = allowed_s - 1
    assert 1 <= deadline.left_s() < 2
    now = allowed_s + 1
    with pytest.raises(transport.Failed, match=f"not done after {size / 100_000 if size > 90_000_000 else 900:g} s"):
        deadline.left_s()
