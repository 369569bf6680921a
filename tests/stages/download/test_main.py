"""The stage as DVC runs it, by its command line, in a folder of its own and without a network."""

import fcntl
import hashlib
import os
import pty
import re
import resource
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

ARCHIVES = {
    "train_images": b"train images " * 1000,
    "train_labels": b"train labels " * 20,
    "test_images": b"test images " * 200,
    "test_labels": b"test labels " * 10,
}
FILES = {role: f"{role}.gz" for role in ARCHIVES}

HTML = b"<html><title>Please sign in</title></html>"

PARAMS = "dataset:\n  name: {name}\n"

COMMON = """
  title: Toy
  description: four files
  licence: none
  classes: [a, b, c, d, e, f, g, h, i, j]
  image_shape: [28, 28]
"""
DOWNLOADED = "toy:" + COMMON + "  source: download\n  mirrors: [https://something.invalid/]\n  archives:\n"
GENERATED = "drawn:" + COMMON + "  source: generate\n  seed: 0\n  images: {train: 10, test: 10}\n"


@pytest.fixture
def project(tmp_path):
    """A folder with what the stage reads, and with the archives in mirror/toy."""
    entry = DOWNLOADED
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    for role, body in ARCHIVES.items():
        digest = hashlib.sha256(body).hexdigest()
        entry += f'    {role}: {{file: {FILES[role]}, size: {len(body)}, sha256: "{digest}"}}\n'
        (tmp_path / "mirror" / "toy" / FILES[role]).write_bytes(body)
    (tmp_path / "datasets.yaml").write_text(entry + GENERATED)
    choose(tmp_path, "toy")
    return tmp_path


def choose(project, name):
    (project / "params.yaml").write_text(PARAMS.format(name=name))


def download(project, *, mirror="mirror", **options):
    """Run the stage. No name is ever looked up: whatever is no folder goes to a proxy on loopback that isn't there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = f"http://user:secret@127.0.0.1:{listener.getsockname()[1]}"
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = kept | {"PYTHONPATH": str(ROOT), "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "DATASET_MIRROR": mirror}
    command = [sys.executable, "-m", "stages.download", "raw"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, cwd=project, env=environment, text=True, timeout=60, **options)


def error(process):
    """Return the one line of a clean failure."""
    assert process.stdout == ""
    lines = process.stderr.splitlines()
    assert len(lines) == 1, process.stderr
    return lines[0]


def test_archives_come_from_the_folder_with_a_line_for_each(project):
    process = download(project)

    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines() == [
        f"{FILES[role]}: {len(body)} bytes from mirror/toy/{FILES[role]}" for role, body in ARCHIVES.items()
    ]
    assert {path.name: path.read_bytes() for path in (project / "raw").iterdir()} == {
        FILES[role]: body for role, body in ARCHIVES.items()
    }


def test_progress_is_shown_on_a_terminal(project):
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))

    process = download(project, stderr=stderr)

    os.close(stderr)  # so that reading ends, even if nothing was written
    with open(terminal, "rb", buffering=0) as screen:
        shown = screen.read(1 << 16).decode()
    assert process.returncode == 0
    assert "train_images.gz:   0%" in shown
    assert "0.00/13.0k" in shown


def test_captive_portal_and_no_network_are_one_clean_error(project):
    own = project / "mirror" / "toy" / FILES["train_images"]
    own.write_bytes(HTML)
    (project / "raw").mkdir()
    old = project / "raw" / FILES["train_images"]
    old.write_bytes(b"old")

    process = download(project)

    body = ARCHIVES["train_images"]
    assert process.returncode == 3
    assert error(process) == (
        f"error: train_images.gz: no address serves it "
        f"(expected {len(body)} bytes with SHA-256 {hashlib.sha256(body).hexdigest()}, "
        "got mirror/toy/train_images.gz: looks like an HTML page (proxy or captive portal?); "
        "https://something.invalid/train_images.gz: the proxy: Connection refused); "
        "fix: make demo needs no network; "
        "or set DATASET_MIRROR to a folder that holds <data set>/train_images.gz"
    )
    assert [path.name for path in (project / "raw").iterdir()] == [old.name]
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("mirror", ["https://user:secret@something.invalid", "user:secret@something.invalid"])
def test_credentials_are_never_printed(project, mirror):
    process = download(project, mirror=mirror)

    assert process.returncode == 3
    assert "***@something.invalid/toy/train_images.gz: " in error(process)
    assert "secret" not in process.stderr


def test_unknown_data_set_is_refused(project):
    choose(project, "toi")

    process = download(project)

    assert process.returncode == 2
    assert re.match(r"error: params\.yaml: dataset\.name: .*did you mean toy\?", error(process))
    assert not (project / "raw").exists()


def test_full_disk_names_the_file(project):
    """A limit on the size of files fails as a full disk does: in the middle of a write, and without a file name."""
    process = download(project, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))

    assert process.returncode == 1
    assert error(process) == "error: raw/train_images.gz: File too large; fix: mend that, then dvc repro"
    assert list((project / "raw").iterdir()) == []


def test_generated_data_set_needs_no_mirror(project):
    choose(project, "drawn")

    process = download(project, mirror="")

    assert (process.returncode, process.stderr) == (0, "")
    assert sorted(path.name for path in (project / "raw").iterdir()) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
