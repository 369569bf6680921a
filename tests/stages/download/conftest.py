"""A loopback server, an address where nobody listens, and no proxy for either."""

import os
import socket

import pytest

from tests.stages.download.loopback import Server


@pytest.fixture(autouse=True)
def straight_to_loopback(monkeypatch):
    """Ignore the proxies and the passwords of the user who runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("NETRC", os.devnull)


@pytest.fixture
def server():
    with Server().serving() as server:
        yield server


@pytest.fixture
def closed():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
