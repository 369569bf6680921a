"""The stage download by its command line, in a folder of its own and without a network."""

import hashlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from core.cli import command
from stages.download import __main__ as stage
from stages.download import pillow
from tests.conftest import Run, snapshot
from tests.stages.download.loopback import hang, reply

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements-pillow.lock"

ARCHIVES = {
    "train_images": b"train images " * 1000,
    "train_labels": b"train labels " * 20,
    "test_images": b"test images " * 200,
    "test_labels": b"test labels " * 10,
}
FILES = {role: f"{role}.gz" for role in ARCHIVES}
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ARCHIVES["test_images"]) + ARCHIVES["test_images"][:1000]

COMMON = """
  title: Toy
  description: four files
  licence: none
  image_shape: [28, 28]
"""
CLASSES = "  classes: [a, b, c, d, e, f, g, h, i, j]\n"
DOWNLOADED = "toy:" + COMMON + CLASSES + "  source: download\n  mirrors: [https://something.invalid/]\n  archives:\n"
GENERATED = "drawn:" + COMMON + CLASSES + "  source: generate\n  seed: 0\n  images: {train: 10, test: 10}\n"
MADE = {
    "raw/classes.json",
    "raw/t10k-images-idx3-ubyte.gz",
    "raw/t10k-labels-idx1-ubyte.gz",
    "raw/train-images-idx3-ubyte.gz",
    "raw/train-labels-idx1-ubyte.gz",
}


def sha256(body):
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def project(tmp_path):
    """A folder with the inputs of the stage, and with the archives in mirror/toy."""
    entry = DOWNLOADED
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    for role, body in ARCHIVES.items():
        entry += f'    {role}: {{file: {FILES[role]}, size: {len(body)}, sha256: "{sha256(body)}"}}\n'
        (tmp_path / "mirror" / "toy" / FILES[role]).write_bytes(body)
    (tmp_path / "datasets.yaml").write_text(entry + GENERATED)
    choose(tmp_path, "toy")
    return tmp_path


def choose(project, name):
    (project / "params.yaml").write_text(f"dataset:\n  name: {name}\n")


@pytest.fixture
def download(project, closed, monkeypatch, capsys):
    """A function that runs the stage in this process. Requests that leave this machine go to a proxy that is not there,
    so no name is looked up.
    """
    monkeypatch.chdir(project)

    def download(*options, mirror="mirror"):
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, closed)
        monkeypatch.setenv("DATASET_MIRROR", mirror)
        before = snapshot(project)
        with pytest.raises(SystemExit) as exit:
            command.run(stage.main, argv=[*options, str(LOCK), "raw"])
        return Run(exit.value.code, *capsys.readouterr(), before, snapshot(project))

    return download


@pytest.fixture
def start(project, closed):
    """A function that starts the stage in a process of its own, which does not outlive the test."""
    started = []

    def start(*prefix, mirror="mirror", **options):
        proxies = {"HTTP_PROXY": closed, "HTTPS_PROXY": closed}
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DATASET_MIRROR": mirror} | proxies
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        argv = [*prefix, sys.executable, "-m", "stages.download", str(LOCK), "raw"]
        started.append(subprocess.Popen(argv, cwd=project, env=environment, text=True, **options))
        return started[-1]

    yield start
    for process in started:
        with process:  # closes its pipes
            process.kill()


def outcome(process):
    """Wait for the end; return exit code, stdout and stderr."""
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def right(project):
    """Return whether the four archives and the class names are in place, and nothing else."""
    names = "".join(f'  "{name}",\n' for name in "abcdefghi")
    expected = {FILES[role]: body for role, body in ARCHIVES.items()}
    return snapshot(project / "raw") == expected | {"classes.json": f'[\n{names}  "j"\n]\n'.encode()}


def not_served(role, *reasons):
    expected = f"{len(ARCHIVES[role])} bytes with SHA-256 {sha256(ARCHIVES[role])}"
    return (
        f"error: {FILES[role]}: no address serves it (expected {expected}, got {'; '.join(reasons)}); fix: "
        f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{FILES[role]}"
    )


NO_NETWORK = "https://something.invalid/train_images.gz: the proxy: Connection refused"


def serve(server, actions=None):
    """Let a server serve the archives under /toy, with other actions for some; return it as a mirror."""
    for role, body in ARCHIVES.items():
        server.route(f"/toy/{FILES[role]}", *(actions or {}).get(role, [reply(200, body)]))
    return server.address


# Mirrors


@pytest.mark.fault("no network, but the archives in a folder")
def test_folder_needs_no_connection(project, download, monkeypatch):
    for name in ("socket", "getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, lambda *_, **__: pytest.fail("a connection"))

    run = download(mirror="mirror/")

    assert (run.code, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"{FILES[role]}: {len(body)} bytes from mirror/toy/{FILES[role]}" for role, body in ARCHIVES.items()
    ]
    assert right(project)


def test_archives_come_from_a_server(project, server, download):
    run = download(mirror=serve(server).replace("//", "//hans:pa55wort@"))

    assert (run.code, run.stderr) == (0, "")
    assert server.hits == [f"/toy/{FILES[role]}" for role in ARCHIVES]
    assert run.stdout.count(" bytes from http://***@127.0.0.1") == 4
    assert right(project)


@pytest.mark.fault("a folder for a mirror that lacks a file, or has another one")
def test_another_file_in_the_only_mirror_is_no_fault_of_the_network(project, download, assert_clean_failure):
    text = (project / "datasets.yaml").read_text()
    (project / "datasets.yaml").write_text(text.replace("[https://something.invalid/]", "[./mirror/toy/]"))
    other = ARCHIVES["train_images"][:-1] + b"x"
    (project / "mirror" / "toy" / FILES["train_images"]).write_bytes(other)

    got = f"./mirror/toy/train_images.gz: {len(other)} bytes with SHA-256 {sha256(other)}"
    same = "every address serves the same other file: datasets.yaml may be wrong or upstream changed"
    fix = "if you want that file, correct size and sha256 in datasets.yaml (wc -c and sha256sum), then dvc repro"
    line = not_served("train_images", got).replace("no address serves it", same).partition("; fix: ")[0]
    assert_clean_failure(download(mirror=""), 4, f"{line}; fix: {fix}")


@pytest.mark.fault("the old file is junk, and nobody serves another")
def test_captive_portal_and_no_network_are_one_clean_error(project, download, assert_clean_failure):
    """The old file stays, and the stage normalize refuses it."""
    (project / "mirror" / "toy" / FILES["train_images"]).write_bytes(b"<html><title>Please sign in</title></html>")
    (project / "raw").mkdir()
    (project / "raw" / FILES["train_images"]).write_bytes(b"junk")

    portal = "mirror/toy/train_images.gz: looks like an HTML page (proxy or captive portal?)"
    assert_clean_failure(download(), 3, not_served("train_images", portal, NO_NETWORK))


# Other sources


def test_image_folder_becomes_archives(project, download):
    for split in ("train", "test"):
        (project / "pictures" / split / "only").mkdir(parents=True)
        Image.new("L", (28, 28), 7).save(project / "pictures" / split / "only" / "1.png")
    sha256_of_file = sha256((project / "pictures/train/only/1.png").read_bytes())
    pin = sha256(f"test/only/1.png {sha256_of_file}\ntrain/only/1.png {sha256_of_file}\n".encode())
    entry = f'own:{COMMON}  source: images\n  folder: pictures\n  sha256: "{pin}"\n'
    (project / "datasets.yaml").write_text(entry)
    choose(project, "own")

    run = download()

    assert (run.code, run.stderr) == (0, "")
    assert run.after["raw/classes.json"] == b'[\n  "only"\n]\n'
    assert set(run.after) - set(run.before) == MADE


def test_images_are_drawn_without_a_mirror_by_the_locked_version_of_pillow_alone(
    project, download, monkeypatch, assert_clean_failure
):
    """Another version is there after `pip install --upgrade pillow`. Archives need no Pillow."""
    choose(project, "drawn")
    drawn = download(mirror="")
    assert (drawn.code, drawn.stderr) == (0, "")
    assert set(drawn.after) - set(drawn.before) == MADE
    shutil.rmtree(project / "raw")
    monkeypatch.setattr(pillow, "PIL", SimpleNamespace(__version__="99.1"))
    choose(project, "toy")
    assert download().code == 0
    shutil.rmtree(project / "raw")
    choose(project, "drawn")

    locked = re.findall(r"^pillow==(\S+)", LOCK.read_text(encoding="utf-8"), re.M)
    expected = f"(expected {' or '.join(locked)}, got 99.1)"
    fix = f"python -m pip install --require-hashes -r {LOCK}, then dvc repro"
    assert_clean_failure(download(), 2, f"error: Pillow: not the version of {LOCK} {expected}; fix: {fix}")


# Disk and processes


@pytest.mark.fault("the disk is full")
def test_file_too_large_names_the_file(project, start):
    """A limit on the size of files fails as a full disk does: in the middle of a write, without a file name."""
    process = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))

    line = "error: raw/train_images.gz: File too large; fix: mend that, then dvc repro\n"
    assert outcome(process) == (1, "", line)
    assert list((project / "raw").iterdir()) == []


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.fault("killed amid a body")
@pytest.mark.fault("told to end amid a body")
def test_stopped_download_leaves_no_half_of_an_archive_and_the_next_one_is_right(
    project, server, start, download, killed
):
    """The third archive hangs in its middle."""
    (project / ".dvc").mkdir()  # for the lock
    mirror = serve(server, {"test_images": [hang(HALF), reply(200, ARCHIVES["test_images"])]})

    process = start(mirror=mirror)
    assert server.hanging.wait(60)
    process.send_signal(killed)
    code, _, stderr = outcome(process)

    named = {name: body for name, body in snapshot(project / "raw").items() if not name.endswith(".tmp")}
    assert named == {FILES[role]: ARCHIVES[role] for role in ("train_images", "train_labels")}
    if killed == signal.SIGKILL:
        assert code == -killed
    else:
        line = "error: stages.download: interrupted; fix: dvc repro starts this stage again\n"
        assert (code, stderr) == (130, line)
        assert not list((project / "raw").glob(".*.tmp"))

    run = download(mirror=mirror)

    assert (run.code, run.stderr) == (0, "")
    assert right(project)


@pytest.mark.fault("two at once")
def test_second_download_at_once_is_refused_and_harms_nothing(project, server, start, download):
    """The first one hangs in the middle of an archive until the second one has ended."""
    (project / ".dvc").mkdir()  # for the lock
    body = ARCHIVES["test_images"]

    def wait(handler):
        hang(HALF)(handler)
        handler.wfile.write(body[1000:])

    first = start(mirror=serve(server, {"test_images": [wait]}))
    assert server.hanging.wait(60)
    second = download()
    server.closing.set()

    assert second.code == 1
    assert f"a stage of an earlier run is still running (expected none, got process {first.pid})" in second.stderr
    assert outcome(first)[::2] == (0, "")
    assert right(project)
