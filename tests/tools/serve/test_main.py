"""What stops the server before it serves."""

import socket
import sys

import pytest

from tools.serve.__main__ import declare, main


@pytest.mark.fault("a package of an extra that is not installed")
def test_without_gradio_the_command_that_installs_it_is_named(tmp_path, run_here, monkeypatch, assert_clean_failure):
    monkeypatch.setitem(sys.modules, "gradio", None)

    fix = 'make setup, or python -m pip install "gradio>=6.12"'
    line = f"error: gradio: not installed, and the page needs it (the extra serve); fix: {fix}"
    assert_clean_failure(run_here(main, declare=declare), 2, line)


@pytest.mark.fault("a port that another program uses")
def test_an_address_that_can_not_be_used_is_one_line(tmp_path, run_here, assert_clean_failure):
    fix = "python -m tools.serve --port 0, which takes any free port"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        taken = run_here(main, "--port", port, declare=declare)
    unknown = run_here(main, "--port", "99999", declare=declare)

    assert_clean_failure(taken, 2, f"error: --host 127.0.0.1 --port {port}: Address already in use; fix: {fix}")
    line = "error: --port: no such port (expected 0 to 65535, got 99999); fix: leave --port out"
    assert_clean_failure(unknown, 2, line)
