"""A team shares results, pushed from one clone, pulled into others: over real SSH, over S3 on loopback, in a folder."""

import os
import pwd
import shutil
import socketserver
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.project import ALL, Project

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
SEPARATED = Path("/run/sshd")  # Debian's sshd wants this empty folder if root starts it
CONFIG = """\
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
Subsystem sftp internal-sftp
"""

NO_SERVER = "results were shared over no SSH, since openssh-server is not installed"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(f"default:{NO_SERVER}")]


class Server(socketserver.ThreadingTCPServer):
    """sshd on a free port of loopback, a process for each connection."""

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.folder, self.port, self.sessions = folder, self.server_address[1], []
        for key in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        shutil.copyfile(folder / "client.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text(CONFIG.format(folder=folder), encoding="utf-8")

    def finish_request(self, request, client_address):
        """Hand the connection to sshd, as inetd does."""
        command = [SSHD, "-i", "-e", "-f", self.folder / "sshd_config"]
        session = subprocess.Popen(command, stdin=request, stdout=request, stderr=subprocess.DEVNULL)
        self.sessions.append(session)
        session.wait()


class Store(NamedTuple):
    """A remote. own: the settings that are each member's. read and write: an object by its name, without DVC."""

    url: str
    settings: dict[str, str]
    own: dict[str, str]
    read: Callable[[str], bytes]
    write: Callable[[str, bytes], object]


class Clone(Project):
    """A working copy on a machine of its own: another home, another DVC cache."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"HOME": str(self.folder.parent)}


def in_folder(folder: Path, url: str, own: dict[str, str]) -> Store:
    def write(name: str, content: bytes) -> None:
        (folder / name).chmod(0o644)
        (folder / name).write_bytes(content)

    return Store(url, {}, own, lambda name: (folder / name).read_bytes(), write)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    return in_folder(folder, str(folder), {})


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    if not SSHD:
        warnings.warn(NO_SERVER, stacklevel=1)
        pytest.skip(NO_SERVER)
    if os.getuid() == 0:
        SEPARATED.mkdir(mode=0o755, exist_ok=True)  # left there, since others may be using it
    with Server(tmp_path_factory.mktemp("server")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        user = pwd.getpwuid(os.getuid()).pw_name
        own = {"port": str(server.port), "user": user, "keyfile": f"{server.folder}/client"}
        try:
            yield in_folder(server.folder / "store", f"ssh://127.0.0.1{server.folder}/store", own)
        finally:
            server.shutdown()
            thread.join()
            for session in server.sessions:
                session.terminate()


@pytest.fixture(scope="module")
def s3():
    """The S3 server of moto, which keeps its objects in memory."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    own = {"access_key_id": "member", "secret_access_key": "invented"}
    bucket = boto3.resource(
        "s3", "us-east-1", endpoint_url=address, aws_access_key_id="admin", aws_secret_access_key="invented"
    ).create_bucket(Bucket="team")
    try:
        yield Store(
            "s3://team/store",
            {"endpointurl": address},
            own,
            lambda name: bucket.Object(f"store/{name}").get()["Body"].read(),
            lambda name, content: bucket.Object(f"store/{name}").put(Body=content),
        )
    finally:
        server.stop()


@pytest.fixture(scope="module", params=["ssh", "s3", "folder"])
def store(request) -> Store:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory, baseline, store) -> Clone:
    """The pipeline run, committed and pushed. Its cache is deleted: others get only what is on the remote."""
    project = Clone(baseline.copy_to(tmp_path_factory.mktemp("pushed") / "project").folder)
    project.dvc("remote", "add", "--default", "team", store.url)
    for name, value in (store.settings | {"verify": "true"}).items():
        project.dvc("remote", "modify", "team", name, value)
    for name, value in store.own.items():
        project.dvc("remote", "modify", "--local", "team", name, value)
    project.commit("remote")
    project.dvc("push", "--run-cache")
    shutil.rmtree(project.folder / ".dvc/cache")
    return project


@pytest.fixture
def clone(pushed, tmp_path) -> Clone:
    """A clone by git, with the settings of the remote that are not in git."""
    pushed.git("clone", "--quiet", str(pushed.folder), str(tmp_path / "clone"))
    own = pushed.folder / ".dvc/config.local"
    if own.exists():
        shutil.copy(own, tmp_path / "clone/.dvc")
    return Clone(tmp_path / "clone")


@pytest.mark.fault("a shared cache: what was pushed is run again")
def test_after_a_pull_there_is_nothing_to_run_also_without_dvc_lock(pushed, clone):
    """Without dvc.lock not train and evaluate: their outputs in git are not on the remote."""
    clone.dvc("pull", "--run-cache")

    assert clone.dvc("repro").count("didn't change, skipping") == len(ALL)
    assert clone.results() == pushed.results()
    assert "reports/report.html" in clone.results()
    assert clone.git("status", "--porcelain") == ""
    (clone.folder / "dvc.lock").unlink()

    printed = clone.dvc("repro", "normalize")

    assert printed.count("is cached - skipping run") == 3 and "Running" not in printed


@pytest.mark.fault("a shared cache: an object that was tampered with")
def test_a_damaged_object_on_the_remote_is_not_pulled(pushed, store, clone):
    """DVC checks this because .dvc/config says so."""
    (digest,) = (out["md5"] for out in pushed.lock()["render"]["outs"] if out["path"] == "reports/report.html")
    name = f"files/md5/{digest[:2]}/{digest[2:]}"
    store.write(name, store.read(name).replace(b"accuracy", b"accurasy"))

    process = clone.start(sys.executable, "-m", "dvc", "pull")
    printed, _ = process.communicate()

    assert process.returncode == 1
    assert "reports/report.html" in printed.split("Checkout failed for following targets:")[1]
    assert not (clone.folder / "reports/report.html").exists()
    assert (clone.folder / "data/predictions").exists()
