"""A team's results on one server, over real SSH on loopback: pushed from one clone, pulled into others."""

import os
import pwd
import shutil
import socketserver
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from tests.project import ALL, Project

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
SEPARATED = Path("/run/sshd")  # compiled into Debian's sshd, which started by root wants this empty folder
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
    """Debian's sshd on a free port of loopback, a process for each connection, with keys of its own."""

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.folder, self.port, self.sessions = folder, self.server_address[1], []
        for key in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        shutil.copyfile(folder / "client.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text(CONFIG.format(folder=folder), encoding="utf-8")

    def finish_request(self, request, client_address):
        """Hand the connection to sshd, as inetd would."""
        command = [SSHD, "-i", "-e", "-f", self.folder / "sshd_config"]
        with open(self.folder / "log", "ab") as log:
            session = subprocess.Popen(command, stdin=request, stdout=request, stderr=log)
        self.sessions.append(session)
        session.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def object(self, digest: str) -> Path:
        return self.folder / "store/files/md5" / digest[:2] / digest[2:]


class Clone(Project):
    """A working copy on a machine of its own: another home, another DVC cache."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"HOME": str(self.folder.parent)}

    def pull(self) -> tuple[int, str]:
        """Return the exit code, and what is printed."""
        process = self.start(sys.executable, "-m", "dvc", "pull")
        printed, _ = process.communicate()
        return process.returncode, printed


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not SSHD:
        warnings.warn(NO_SERVER, stacklevel=1)
        pytest.skip(NO_SERVER)
    if os.getuid() == 0:
        SEPARATED.mkdir(mode=0o755, exist_ok=True)  # as Debian's own service makes it; it stays, others may be using it
    with Server(tmp_path_factory.mktemp("server")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            for session in server.sessions:
                session.terminate()


@pytest.fixture(scope="module")
def pushed(tmp_path_factory, server) -> Clone:
    """The pipeline run, committed and pushed. Its cache is gone: what others get is what is on the server."""
    project = Clone.copied(tmp_path_factory.mktemp("pushed") / "project")
    project.edit("datasets.yaml", "{train: 12000, test: 2000}", "{train: 300, test: 100}")
    project.edit("params.yaml", "name: fashion_mnist", "name: garments")
    project.edit("params.yaml", "epochs: 10", "epochs: 1")
    project.edit("params.yaml", "replicates: 5", "replicates: 1")
    project.git("init", "--quiet")
    project.commit("pipeline")
    project.dvc("remote", "add", "--default", "team", f"ssh://127.0.0.1{server.folder}/store")
    project.dvc("remote", "modify", "team", "verify", "true")
    own = {"port": server.port, "user": pwd.getpwuid(os.getuid()).pw_name, "keyfile": server.folder / "client"}
    for name, value in own.items():
        project.dvc("remote", "modify", "--local", "team", name, str(value))
    assert project.repro() == (ALL, [])
    project.commit("results")
    project.dvc("push", "--run-cache")
    shutil.rmtree(project.folder / ".dvc/cache")
    return project


@pytest.fixture
def clone(pushed, tmp_path) -> Clone:
    """Made by git, and told what git does not know of the server."""
    pushed.git("clone", "--quiet", str(pushed.folder), str(tmp_path / "clone"))
    shutil.copy(pushed.folder / ".dvc/config.local", tmp_path / "clone/.dvc")
    return Clone(tmp_path / "clone")


@pytest.mark.fault("a shared cache: what was pushed is run again")
def test_after_a_pull_there_is_nothing_to_run(pushed, server, clone):
    before = server.log().count("Accepted publickey")

    assert clone.pull()[0] == 0
    printed = clone.dvc("repro")

    assert server.log().count("Accepted publickey") > before
    assert printed.count("didn't change, skipping") == len(ALL) and "Running" not in printed
    assert clone.results() == pushed.results()
    assert "reports/report.html" in clone.results()
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.fault("a shared cache: what was pushed is run again")
def test_the_run_cache_brings_what_no_commit_tells_of_but_for_what_git_keeps(pushed, server, clone):
    """Without dvc.lock, DVC has nothing to go by but its records of what others ran. What train and evaluate leave in
    git is not on the server, so that these would run again, as README.md says.
    """
    clone.dvc("pull", "--run-cache")
    (clone.folder / "dvc.lock").unlink()

    printed = clone.dvc("repro", "normalize")

    assert printed.count("is cached - skipping run") == 3 and "Running" not in printed
    (history,) = (out["md5"] for out in pushed.lock()["train"]["outs"] if out["path"] == "reports/history.csv")
    assert not server.object(history).exists()


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.fault("a shared cache: an object that was tampered with")
def test_a_tampered_object_is_refused_if_dvc_is_told_to_verify(pushed, server, clone, verify):
    """It is told so in .dvc/config, which git has. Else another report is checked out, and DVC calls it up to date."""
    report = (pushed.folder / "reports/report.html").read_bytes()
    (digest,) = (out["md5"] for out in pushed.lock()["render"]["outs"] if out["path"] == "reports/report.html")
    tampered = report.replace(b"accuracy", b"accurasy")
    stored = server.object(digest)
    assert stored.read_bytes() == report != tampered
    stored.chmod(0o644)
    stored.write_bytes(tampered)
    if not verify:
        clone.dvc("remote", "modify", "--local", "team", "verify", "false")

    code, printed = clone.pull()

    stored.write_bytes(report)
    if verify:
        assert code == 1
        assert "reports/report.html" in printed.split("Checkout failed for following targets:")[1]
        assert not (clone.folder / "reports/report.html").exists()
        assert (clone.folder / "data/predictions").exists()
    else:
        assert code == 0
        assert (clone.folder / "reports/report.html").read_bytes() == tampered
        assert "up to date" in clone.dvc("status")
