"""Where people put the project: in a clone on Windows, and in a folder that was renamed."""

import hashlib
import subprocess
from pathlib import Path

from tests import hermetic

ROOT = Path(__file__).parents[1]


def git(*arguments: str, folder: Path = ROOT) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=hermetic.scrubbed(), check=True, stdout=subprocess.PIPE
    ).stdout


def blob(data: bytes) -> str:
    """Return the name by which git knows the bytes of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def names(listing: bytes) -> list[str]:
    return listing.decode("utf-8").split("\0")[:-1]


def test_a_clone_with_the_line_endings_of_windows_has_the_bytes_of_the_commit(tmp_path):
    """DVC hashes these bytes, so equal bytes mean that no stage runs again."""
    top, project = (git("rev-parse", option).decode().strip() for option in ("--show-toplevel", "--show-prefix"))
    git("clone", "--quiet", "-c", "core.autocrlf=true", top, str(tmp_path / "clone"))
    clone = tmp_path / "clone" / project
    entries = (entry.split("\t") for entry in names(git("ls-tree", "-r", "-z", "HEAD")))
    committed = {name: facts.split()[2] for facts, name in entries}

    assert git("rev-parse", "HEAD", folder=clone) == git("rev-parse", "HEAD")
    assert {"params.yaml", "dvc.lock", "reports/report.md", "stages/train/loop.py"} <= committed.keys()
    assert {name: blob((clone / name).read_bytes()) for name in committed} == committed
    assert git("status", "--porcelain", folder=clone) == b""


def test_pull_requests_fold_what_commands_make_and_show_what_people_read():
    tracked = names(git("ls-files", "-z"))
    fields = names(git("check-attr", "-z", "linguist-generated", "--", *tracked))
    folded = {name for name, value in zip(fields[::3], fields[2::3], strict=True) if value == "set"}

    assert folded >= {"dvc.lock", "requirements.lock", "requirements-dev.lock", "benchmarks/results.json"}
    assert {name for name in tracked if name.startswith("reports/")} - folded == {
        "reports/report.md",
        "reports/metrics.json",
    }
    assert {Path(name).suffix for name in folded} == {".lock", ".csv", ".json", ".png"}
    assert not [name for name in folded if name.startswith(("stages/", "tools/", "tests/", ".dvc/"))]
