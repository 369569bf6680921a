"""The stage download by its command line, in a folder of its own and without a network."""

import gzip
import hashlib
import io
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stages.download import __main__ as stage
from stages.download import pillow
from tests.conftest import ROOT, snapshot
from tests.layouts import idx_file, tarred
from tests.stages.download.loopback import hang, reply

LOCK = ROOT / "requirements-pillow.lock"

TRAIN = np.random.RandomState(0).randint(0, 256, (40, 20, 30), np.uint8)
ARRAYS = {
    "train/images": TRAIN,
    "train/labels": np.arange(40, dtype=np.uint8) % 2,
    "test/images": TRAIN[:4, ::-1],
    "test/labels": np.array([1, 0, 0, 1], np.uint8),
}


NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FILES = {
    f"{name}.gz": gzip.compress(idx_file(array), mtime=0) for name, array in zip(NAMES, ARRAYS.values(), strict=True)
}
FIRST, SECOND, THIRD, _ = FILES
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FILES[THIRD]) + FILES[THIRD][:1000]

COMMON = {"title": "Toy", "description": "a few files", "licence": "none"}
DRAWN = {"image_shape": [28, 28], "classes": list("abcdefghij"), "seed": 0, "images": {"train": 10, "test": 10}}
MADE = {f"raw/{name}.npy" for name in ARRAYS} | {"raw/classes.json", "raw/preparation.json"}


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def write_card(project, name, **keys):
    (project / "datasets").mkdir(exist_ok=True)
    (project / "sources" / name).mkdir(parents=True, exist_ok=True)
    (project / f"datasets/{name}.yaml").write_text(json.dumps(COMMON | keys), encoding="utf-8")  # JSON is YAML


def pinned(files):
    return {name: {"size": len(body), "sha256": sha256(body)} for name, body in files.items()}


@pytest.fixture
def project(tmp_path):
    """A folder with the inputs of the stage, and with the archives in mirror/toy."""
    mirrors = ["https://something.invalid/"]
    write_card(tmp_path, "toy", format="idx", classes=["a", "b"], mirrors=mirrors, archives=pinned(FILES))
    write_card(tmp_path, "drawn", format="garments", **DRAWN)
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    for name, body in FILES.items():
        (tmp_path / "mirror" / "toy" / name).write_bytes(body)
    return tmp_path


def arguments(name):
    return [f"datasets/{name}.yaml", f"sources/{name}", str(LOCK), "raw"]


@pytest.fixture
def download(project, closed, monkeypatch, run_here):
    """A function that runs the stage in this process. Requests that leave this machine go to a proxy that is not there,
    so no name is looked up.
    """
    monkeypatch.chdir(project)

    def download(name="toy", mirror="mirror"):
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, closed)
        monkeypatch.setenv("DATASET_MIRROR", mirror)
        return run_here(stage.main, *arguments(name))

    return download


@pytest.fixture
def start(project, closed):
    """A function that starts the stage in a process of its own, which does not outlive the test."""
    started = []

    def start(mirror="mirror", **options):
        proxies = {"HTTP_PROXY": closed, "HTTPS_PROXY": closed}
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DATASET_MIRROR": mirror} | proxies
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        argv = [sys.executable, "-m", "stages.download", *arguments("toy")]
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
    """Return whether the arrays, the class names and the record are in place, and nothing else."""
    made = {f"raw/{name}" for name in snapshot(project / "raw")}
    read = {name: np.load(project / "raw" / f"{name}.npy") for name in ARRAYS}
    same = all(read[name].dtype == np.uint8 and np.array_equal(read[name], array) for name, array in ARRAYS.items())
    names = (project / "raw/classes.json").read_bytes()
    record = json.loads((project / "raw/preparation.json").read_bytes())
    return made == MADE and same and names == b'[\n  "a",\n  "b"\n]\n' and record == {"images": 44, "done": {}}


def not_served(name, *reasons):
    expected = f"{len(FILES[name])} bytes with SHA-256 {sha256(FILES[name])}"
    return (
        f"error: {name}: no address serves it (expected {expected}, got {'; '.join(reasons)}); fix: "
        f"make demo needs no network; or set DATASET_MIRROR to a folder that holds <data set>/{name}"
    )


def serve(server, actions=None):
    """Let a server serve the archives under /toy, with other actions for some; return it as a mirror."""
    for name, body in FILES.items():
        server.route(f"/toy/{name}", *(actions or {}).get(name, [reply(200, body)]))
    return server.address


# Mirrors


@pytest.mark.fault("no network, but the archives in a folder")
def test_folder_needs_no_connection(project, download, monkeypatch):
    for place, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
        monkeypatch.setattr(place, name, lambda *_, **__: pytest.fail("a connection"))

    run = download(mirror="mirror/")

    assert (run.code, run.stderr) == (0, "")
    fetched = [f"{name}: {len(body)} bytes from mirror/toy/{name}" for name, body in FILES.items()]
    assert run.stdout.splitlines() == [*fetched, "train: 40 images, 20 x 30", "test: 4 images, 20 x 30"]
    assert right(project) and set(run.after) - set(run.before) == MADE, "no archive is left"


def test_archives_come_from_a_server(project, server, download):
    run = download(mirror=serve(server).replace("//", "//hans:pa55wort@"))

    assert (run.code, run.stderr) == (0, "")
    assert server.hits == [f"/toy/{name}" for name in FILES]
    assert run.stdout.count(" bytes from http://***@127.0.0.1") == 4
    assert right(project)


@pytest.mark.fault("the old file is junk, and nobody serves another")
def test_captive_portal_and_no_network_are_one_clean_error(project, download, assert_clean_failure):
    """What an earlier run made stays."""
    (project / "mirror" / "toy" / FIRST).write_bytes(b"<html><title>Please sign in</title></html>")
    (project / "raw").mkdir()
    (project / "raw" / "classes.json").write_bytes(b"of an earlier run")

    portal = f"mirror/toy/{FIRST}: looks like an HTML page (proxy or captive portal?)"
    no_network = f"https://something.invalid/{FIRST}: the proxy: Connection refused"
    assert_clean_failure(download(), 3, not_served(FIRST, portal, no_network))


def numpy_arrays():
    """Return an .npz file of the names that Keras uses."""
    np.savez(
        file := io.BytesIO(), **dict(zip(("x_train", "y_train", "x_test", "y_test"), ARRAYS.values(), strict=True))
    )
    return file.getvalue()


ROLES = [f"{split}_{kind}" for split in ("train", "test") for kind in ("images", "labels")]
# The IDX files, not compressed, in a folder.
PACKED = tarred({f"toy/{name}": idx_file(array) for name, array in zip(NAMES, ARRAYS.values(), strict=True)}, "w:gz")
IN_TAR = {role: f"toy.tar.gz/toy/{name}" for role, name in zip(ROLES, NAMES, strict=True)}


@pytest.mark.parametrize(
    ("name", "body", "keys"),
    [("toy.tar.gz", PACKED, {"format": "idx", "files": IN_TAR}), ("toy.npz", numpy_arrays(), {"format": "npz"})],
)
def test_a_mirror_may_serve_files_of_any_format(project, server, download, name, body, keys):
    """An archive is opened where it lies."""
    keys |= {"mirrors": [f"{server.address}/packed/"], "archives": pinned({name: body})}
    write_card(project, "packed", classes=["a", "b"], **keys)
    server.route(f"/packed/{name}", reply(200, body))

    run = download("packed", mirror="")

    assert (run.code, run.stderr) == (0, "")
    assert right(project)


# Other sources


@pytest.mark.fault("a file of a data set is damaged: it is named, and what an earlier run made stays")
def test_a_damaged_file_is_named_and_nothing_is_written(project, download, assert_clean_failure):
    write_card(project, "own", format="idx", classes=["a", "b"])
    for name, body in FILES.items():
        (project / "sources/own" / name).write_bytes(body[:-100] if name == THIRD else body)
    (project / "raw").mkdir()
    (project / "raw" / "classes.json").write_bytes(b"of an earlier run")

    run = download("own", mirror="")

    assert_clean_failure(run, 4, run.stderr.rstrip("\n"))
    assert run.stderr.startswith(f"error: sources/own/{THIRD}: ")


def test_images_are_drawn_without_a_mirror_by_the_locked_version_of_pillow_alone(
    project, download, monkeypatch, assert_clean_failure
):
    """Another version is there after `pip install --upgrade pillow`. Arrays need no Pillow."""
    drawn = download("drawn", mirror="")
    assert (drawn.code, drawn.stderr) == (0, "")
    assert set(drawn.after) - set(drawn.before) == MADE
    shutil.rmtree(project / "raw")
    monkeypatch.setattr(pillow, "PIL", SimpleNamespace(__version__="99.1"))
    assert download().code == 0
    shutil.rmtree(project / "raw")
    write_card(project, "pictured", format="pictures")
    write_card(project, "table", format="parquet")

    locked = re.findall(r"^pillow==(\S+)", LOCK.read_text(encoding="utf-8"), re.M)
    expected = f"(expected {' or '.join(locked)}, got 99.1)"
    fix = f"python -m pip install --require-hashes -r {LOCK}, then dvc repro"
    for name in ("drawn", "pictured", "table"):
        assert_clean_failure(download(name), 2, f"error: Pillow: not the version of {LOCK} {expected}; fix: {fix}")


# Disk and processes


@pytest.mark.fault("the disk is full")
def test_file_too_large_names_the_file(project, start):
    """A limit on the size of files fails as a full disk does: in the middle of a write, without a file name."""
    process = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))

    code, stdout, stderr = outcome(process)

    assert (code, stdout) == (1, "")
    line = rf"error: \.raw\.\d+\.\w+\.tmp/{FIRST}: File too large; fix: mend that, then dvc repro\n"
    assert re.fullmatch(line, stderr), stderr
    assert not (project / "raw").exists() and not list(project.glob(".*.tmp"))


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.fault("killed amid a body")
@pytest.mark.fault("told to end amid a body")
def test_stopped_download_leaves_no_half_of_an_archive_and_the_next_one_is_right(
    project, server, start, download, killed
):
    """The third archive hangs in its middle."""
    (project / ".dvc").mkdir()  # for the lock
    mirror = serve(server, {THIRD: [hang(HALF), reply(200, FILES[THIRD])]})

    process = start(mirror=mirror)
    assert server.hanging.wait(60)
    process.send_signal(killed)
    code, _, stderr = outcome(process)

    assert not (project / "raw").exists()
    if killed == signal.SIGKILL:
        assert code == -killed and len(list(project.glob(".raw.*.tmp"))) == 1
    else:
        line = "error: stages.download: interrupted; fix: dvc repro starts this stage again\n"
        assert (code, stderr) == (130, line)
        assert not list(project.glob(".raw.*.tmp"))

    run = download(mirror=mirror)

    assert (run.code, run.stderr) == (0, "")
    assert right(project) and not list(project.glob(".raw.*.tmp"))


@pytest.mark.fault("two at once")
def test_second_download_at_once_is_refused_and_harms_nothing(project, server, start, download):
    """The first one hangs in the middle of an archive until the second one has ended."""
    (project / ".dvc").mkdir()  # for the lock
    body = FILES[THIRD]

    def wait(handler):
        hang(HALF)(handler)
        handler.wfile.write(body[1000:])

    first = start(mirror=serve(server, {THIRD: [wait]}))
    assert server.hanging.wait(60)
    second = download()
    server.closing.set()

    assert second.code == 1
    assert f"a stage of an earlier run is still running (expected none, got process {first.pid})" in second.stderr
    assert outcome(first)[::2] == (0, "")
    assert right(project)
