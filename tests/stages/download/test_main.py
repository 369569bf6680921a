"""The stage by its command line, in a folder of its own and without a network; in a process of its own where that
matters.
"""

import fcntl
import hashlib
import os
import pty
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from core.cli import command
from stages.download import __main__ as stage
from stages.download import mirrors, pillow
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

HTML = b"<html><title>Please sign in</title></html>"


def sha256(body):
    return hashlib.sha256(body).hexdigest()


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


@pytest.fixture
def download(project, closed, monkeypatch, capsys):
    """A function that runs the stage in this process. No name is ever looked up: whatever is neither a folder nor on
    loopback goes to a proxy that isn't there.
    """
    monkeypatch.chdir(project)

    def download(*options, mirror="mirror", proxy=None):
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy or closed)
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
    """Return whether the four archives and the class names, and nothing else, are in place."""
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
    """Let a server have the archives under /toy, with other actions for some; return it as a mirror."""
    for role, body in ARCHIVES.items():
        server.route(f"/toy/{FILES[role]}", *(actions or {}).get(role, [reply(200, body)]))
    return server.address


def test_archives_come_from_the_folder_with_a_line_for_each(project, start):
    code, stdout, stderr = outcome(start())

    assert (code, stderr) == (0, "")
    assert stdout.splitlines() == [
        f"{FILES[role]}: {len(body)} bytes from mirror/toy/{FILES[role]}" for role, body in ARCHIVES.items()
    ]
    assert right(project)


@pytest.mark.fault("no network, but the archives in a folder")
def test_folder_needs_no_connection(project, download, monkeypatch):
    """Nor is a name looked up. Whoever tried would fail, and fall back to nothing."""
    for name in ("socket", "getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, lambda *_, **__: pytest.fail("a connection"))

    run = download(mirror=str(project / "mirror"))

    assert (run.code, run.stderr) == (0, "")
    assert right(project)


def test_archives_come_from_a_server(project, server, download):
    run = download(mirror=serve(server))

    assert (run.code, run.stderr) == (0, "")
    assert server.hits == [f"/toy/{FILES[role]}" for role in ARCHIVES]
    assert right(project)


def test_progress_is_shown_on_a_terminal(start):
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))

    code, *_ = outcome(start(stderr=stderr))

    os.close(stderr)  # so that reading ends, even if nothing was written
    with open(terminal, "rb", buffering=0) as screen:
        shown = screen.read(1 << 16).decode()
    assert code == 0
    assert "train_images.gz:   0%" in shown
    assert "0.00/13.0k" in shown


# Mirrors that don't serve


def test_captive_portal_and_no_network_are_one_clean_error(project, download, assert_clean_failure):
    (project / "mirror" / "toy" / FILES["train_images"]).write_bytes(HTML)
    (project / "raw").mkdir()
    (project / "raw" / FILES["train_images"]).write_bytes(b"old")

    portal = "mirror/toy/train_images.gz: looks like an HTML page (proxy or captive portal?)"
    assert_clean_failure(download(), 3, not_served("train_images", portal, NO_NETWORK))


def test_wrong_file_in_the_folder_is_a_matter_of_data_once_the_mirrors_are_reached(
    project, server, download, monkeypatch, assert_clean_failure
):
    """By way of a function's argument, so that no environment variable can make mirrors without TLS acceptable."""
    served, local = b"served", b"in the folder"
    address = server.route("/train_images.gz", reply(200, served))
    (project / "mirror" / "toy" / FILES["train_images"]).write_bytes(local)
    own_and = mirrors.addresses
    monkeypatch.setattr(mirrors, "addresses", lambda n, f, _, own: own_and(n, f, [server.address], own))

    got = [
        f"{place}: {len(body)} bytes with SHA-256 {sha256(body)}"
        for place, body in (("mirror/toy/train_images.gz", local), (address, served))
    ]
    assert_clean_failure(download(), 4, not_served("train_images", *got))
    assert server.hits == ["/train_images.gz"]


def test_wrong_file_in_the_folder_falls_through_to_no_network(project, download, assert_clean_failure):
    (project / "mirror" / "toy" / FILES["train_images"]).write_bytes(b"wrong")

    got = f"mirror/toy/train_images.gz: 5 bytes with SHA-256 {sha256(b'wrong')}"
    assert_clean_failure(download(), 3, not_served("train_images", got, NO_NETWORK))


@pytest.mark.fault("the old file is junk, and nobody serves another")
def test_corrupt_old_file_stays_unused_if_nothing_serves_it(project, server, download, assert_clean_failure):
    """normalize refuses it, which a test of that stage shows."""
    (project / "raw").mkdir()
    (project / "raw" / FILES["train_images"]).write_bytes(b"junk")

    run = download(mirror=server.address)

    missing = f"{server.address}/toy/train_images.gz: HTTP 404"
    assert_clean_failure(run, 3, not_served("train_images", missing, NO_NETWORK))
    assert server.hits == ["/toy/train_images.gz"]


@pytest.mark.fault("the old file is junk, and nobody serves another")
def test_corrupt_old_file_is_replaced(project, download):
    (project / "raw").mkdir()
    (project / "raw" / FILES["train_images"]).write_bytes(b"junk")

    assert download().code == 0
    assert right(project)


def test_a_mirror_without_tls_is_refused_but_for_one_on_this_machine(project, server, download, assert_clean_failure):
    """DATASET_MIRROR is no way around TLS: others could see what is asked for and say what is there."""
    run = download(mirror="http://hans:pa55wort@something.invalid/sets")

    what = "http is for a server on this machine alone (expected https://, got http://***@something.invalid/sets)"
    line = f"error: DATASET_MIRROR: {what}; fix: give an address with https, or a folder"
    assert_clean_failure(run, 2, line)

    assert download(mirror=serve(server)).code == 0
    assert right(project)


# Credentials

USER, SECRET = "hans", "pa55wort"
FORMS = (USER, SECRET, "pa%355wort", "aGFuczpwYTU1d29ydA==")  # also percent-encoded, and as it goes to a server


@pytest.mark.parametrize(
    "mirror",
    [
        "https://hans:pa55wort@something.invalid",
        "HTTPS://hans:pa%355wort@something.invalid",
        "https://hans%3Apa55wort%40something.invalid",
        "https://hans:pa55wort@something.invalid:port",
        "https://hans:pa55wort@[",
        "https://hans:pa55/wort:pa55wort@something.invalid",
        "https://hans:pa55wort@[::1",
        "https://hans:pa55wort@\u2024something.invalid",
        "https://hans:pa55wort@.invalid",
        f"https://hans:pa55wort@{'long' * 20}.invalid",
        "https://hans:pa55wort\n@something.invalid",
        "https://something.invalid/?user=hans&password=pa55wort",
        "https:/hans:pa55wort@something.invalid",
        "htps://hans:pa55wort@something.invalid",
        "hans:pa55wort@something.invalid",
    ],
)
@pytest.mark.fault("passwords in addresses, tokens behind them")
def test_credentials_of_a_mirror_are_never_printed(download, mirror):
    run = download("--debug", mirror=mirror)

    assert run.code == 3
    assert "Traceback" in run.stderr
    assert not [form for form in FORMS if form in run.stdout + run.stderr]


@pytest.mark.parametrize(
    "proxy",
    [
        "http://hans:pa55wort@{closed}",
        "https://hans:pa%355wort@{closed}",
        "hans:pa55wort@{closed}",
        "socks5://hans:pa55wort@{closed}",
        "socks5h://hans:pa55wort@{closed}",
        "htps://hans:pa55wort@{closed}",
        "http://hans:pa55wort@",
        "http://hans:pa55wort@[",
        "http://hans:pa55wort@127.0.0.1:port",
        "http://hans:pa55/wort:pa55wort@{closed}",
        "http://hans:pa55wort\n@{closed}",
    ],
)
def test_credentials_of_a_proxy_are_never_printed(download, closed, proxy):
    run = download(
        "--debug", mirror="https://something.invalid", proxy=proxy.format(closed=closed.removeprefix("http://"))
    )

    assert run.code == 3
    assert "Traceback" in run.stderr
    assert not [form for form in FORMS if form in run.stdout + run.stderr]


def test_credentials_that_serve_are_not_printed_either(project, server, download):
    run = download(mirror=serve(server).replace("//", "//hans:pa55wort@"))

    assert (run.code, run.stderr) == (0, "")
    assert server.headers[0]["Authorization"] == "Basic aGFuczpwYTU1d29ydA=="
    assert run.stdout.count("http://***@127.0.0.1") == 4
    assert not [form for form in FORMS if form in run.stdout]
    assert right(project)


# Params


def test_unknown_data_set_is_refused(project, download):
    choose(project, "toi")

    run = download()

    assert (run.code, run.stdout) == (2, "")
    assert re.fullmatch(r"error: params\.yaml: dataset\.name: .*did you mean toy\?.*\n", run.stderr)
    assert run.after == run.before


@pytest.mark.fault("a folder for a mirror that lacks a file, or has another one")
def test_mirrors_may_be_folders_on_this_machine(project, download):
    """The first lacks the file, the second has another one."""
    text = (project / "datasets.yaml").read_text()
    mirrors = f"[./empty, ./wrong/, {project}/mirror/toy]"
    (project / "datasets.yaml").write_text(text.replace("[https://something.invalid/]", mirrors))
    (project / "wrong").mkdir()
    (project / "wrong" / FILES["test_labels"]).write_bytes(b"junk")

    run = download(mirror="")

    assert (run.code, run.stderr) == (0, "")
    assert right(project)


@pytest.mark.fault("a folder for a mirror that lacks a file, or has another one")
def test_another_file_in_a_folder_on_this_machine_is_refused(project, download, assert_clean_failure):
    """The only mirror is that folder, so there is nothing to fall back on, and none of the network's exit code.
    The file has as many bytes as the right one.
    """
    text = (project / "datasets.yaml").read_text()
    (project / "datasets.yaml").write_text(text.replace("[https://something.invalid/]", "[./mirror/toy/]"))
    other = ARCHIVES["train_images"][:-1] + b"x"
    (project / "mirror" / "toy" / FILES["train_images"]).write_bytes(other)

    got = f"./mirror/toy/train_images.gz: {len(other)} bytes with SHA-256 {sha256(other)}"
    same = "every address serves the same other file: datasets.yaml may be wrong or upstream changed"
    fix = "if you want that file, correct size and sha256 in datasets.yaml (wc -c and sha256sum), then dvc repro"
    line = not_served("train_images", got).replace("no address serves it", same).partition("; fix: ")[0]
    assert_clean_failure(download(mirror=""), 4, f"{line}; fix: {fix}")


def test_a_folder_of_pictures_becomes_archives(project, download):
    for split in ("train", "test"):
        (project / "pictures" / split / "only").mkdir(parents=True)
        Image.new("L", (28, 28), 7).save(project / "pictures" / split / "only" / "1.png")
    entry = "own:" + COMMON.replace("  classes: [a, b, c, d, e, f, g, h, i, j]\n", "") + "  source: images\n"
    sha256_of_file = sha256((project / "pictures/train/only/1.png").read_bytes())
    pin = sha256(f"test/only/1.png {sha256_of_file}\ntrain/only/1.png {sha256_of_file}\n".encode())
    (project / "datasets.yaml").write_text(f'{entry}  folder: pictures\n  sha256: "{pin}"\n')
    choose(project, "own")

    run = download()

    assert (run.code, run.stderr) == (0, "")
    assert run.after["raw/classes.json"] == b'[\n  "only"\n]\n'
    assert set(run.after) - set(run.before) == {
        "raw/classes.json",
        "raw/t10k-images-idx3-ubyte.gz",
        "raw/t10k-labels-idx1-ubyte.gz",
        "raw/train-images-idx3-ubyte.gz",
        "raw/train-labels-idx1-ubyte.gz",
    }


def test_generated_data_set_needs_no_mirror(project, download):
    choose(project, "drawn")

    run = download(mirror="")

    assert (run.code, run.stderr) == (0, "")
    assert sorted(set(run.after) - set(run.before)) == [
        "raw/classes.json",
        "raw/t10k-images-idx3-ubyte.gz",
        "raw/t10k-labels-idx1-ubyte.gz",
        "raw/train-images-idx3-ubyte.gz",
        "raw/train-labels-idx1-ubyte.gz",
    ]


def test_pictures_are_not_drawn_by_a_version_of_pillow_that_is_not_locked(
    project, download, monkeypatch, assert_clean_failure
):
    """As after `pip install --upgrade pillow`, which DVC does not see. Archives need no Pillow."""
    monkeypatch.setattr(pillow, "PIL", SimpleNamespace(__version__="99.1"))
    archives = download()
    shutil.rmtree(project / "raw")
    choose(project, "drawn")

    drawn = download(mirror="")

    assert archives.code == 0
    locked = re.findall(r"^pillow==(\S+)", LOCK.read_text(encoding="utf-8"), re.M)
    expected = f"(expected {' or '.join(locked)}, got 99.1)"
    fix = f"python -m pip install --require-hashes -r {LOCK}, then dvc repro"
    assert_clean_failure(drawn, 2, f"error: Pillow: not the version of {LOCK} {expected}; fix: {fix}")


# The disk


@pytest.mark.fault("the disk is full")
def test_file_too_large_names_the_file(project, start):
    """A limit on the size of files fails as a full disk does: in the middle of a write, and without a file name."""
    process = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))

    line = "error: raw/train_images.gz: File too large; fix: mend that, then dvc repro\n"
    assert outcome(process) == (1, "", line)
    assert list((project / "raw").iterdir()) == []


@pytest.mark.slow
@pytest.mark.fault("the disk is full")
def test_full_disk_names_the_file(project, start):
    """A disk of 8 KiB, in a namespace of its own; what is left on it is printed, for nobody else can look."""
    private = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*private, "true"], capture_output=True).returncode:
        pytest.skip("no mounts of one's own here; the limit on the size of files stands for a full disk")
    (project / "raw").mkdir()
    script = 'mount -t tmpfs -o size=8k none raw && { "$@"; code=$?; ls -A raw; exit $code; }'

    line = "error: raw/train_images.gz: No space left on device; fix: mend that, then dvc repro\n"
    assert outcome(start(*private, "sh", "-c", script, "sh")) == (1, "", line)


@pytest.mark.fault("a file where the folder should be")
def test_file_in_place_of_the_folder_is_named(project, download, assert_clean_failure):
    (project / "raw").write_bytes(b"a file")

    assert_clean_failure(download(), 1, "error: raw: File exists; fix: mend that, then dvc repro")


# Processes


@pytest.mark.fault("killed amid a body")
def test_killed_download_leaves_nothing_that_is_trusted_and_the_next_one_is_right(project, server, start, download):
    """The third archive hangs in its middle. What is left of it has a name of its own, and no reader."""
    (project / ".dvc").mkdir()  # where the lock is that makes it safe to sweep
    body = ARCHIVES["test_images"]
    beginning = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:1000]
    mirror = serve(server, {"test_images": [hang(beginning), reply(200, body)]})

    process = start(mirror=mirror)
    assert server.hanging.wait(60)
    process.send_signal(signal.SIGKILL)
    assert outcome(process)[0] == -signal.SIGKILL
    named = {name: body for name, body in snapshot(project / "raw").items() if not name.endswith(".tmp")}
    assert named == {FILES[role]: ARCHIVES[role] for role in ("train_images", "train_labels")}

    run = download(mirror=mirror)

    assert (run.code, run.stderr) == (0, "")
    assert right(project)


@pytest.mark.fault("told to end amid a body")
def test_download_told_to_end_does_so_in_one_line_and_keeps_no_half_of_an_archive(project, server, start):
    body = ARCHIVES["test_images"]
    beginning = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:1000]

    process = start(mirror=serve(server, {"test_images": [hang(beginning)]}))
    assert server.hanging.wait(60)
    process.send_signal(signal.SIGTERM)

    line = "error: stages.download: interrupted; fix: dvc repro starts this stage again\n"
    assert outcome(process)[::2] == (130, line)
    assert snapshot(project / "raw") == {FILES[role]: ARCHIVES[role] for role in ("train_images", "train_labels")}


@pytest.mark.fault("two at once")
def test_two_at_once_both_end_with_the_right_files(project, server, start, download):
    """Each waits in the middle of the first archive until the other is there too."""
    both = threading.Barrier(2, timeout=60)
    body = ARCHIVES["train_images"]

    def meet(handler):
        reply(200, body[:1000], Content_Length=len(body))(handler)
        both.wait()
        handler.wfile.write(body[1000:])

    mirror = serve(server, {"train_images": [meet]})

    other = start(mirror=mirror)
    run = download(mirror=mirror)

    assert (run.code, run.stderr) == (0, "")
    assert outcome(other)[::2] == (0, "")
    assert server.hits.count("/toy/train_images.gz") == 2
    assert right(project)
