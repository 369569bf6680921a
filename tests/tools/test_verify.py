"""The tool on a small project: files, records and objects written as DVC writes them, and once by DVC itself.

All damage keeps size, time and mode, so only the bytes show it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core.cli import command
from tools.verify.__main__ import main

PIPELINE = """
stages:
  make:
    cmd: mkdir -p data/d/e && cp in.txt data/one && cp in.txt data/d/a && echo b > data/d/e/b
    deps: [in.txt]
    outs: [data/one, data/d]
  score:
    cmd: cd reports && mkdir -p figures && echo 6 > m.json && cp ../data/one figures/f && echo x > figures/g
    deps: [data/one]
    plots: [{reports/figures: {cache: false}}]
    metrics: [{reports/m.json: {cache: false}}]
"""
HELLO, B, SIX, X = b"hello\n", b"b\n", b"6\n", b"x\n"
FILES = {
    "data/one": HELLO,
    "data/d/a": HELLO,
    "data/d/e/b": B,
    "reports/figures/f": HELLO,
    "reports/figures/g": X,
    "reports/m.json": SIX,
}


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


# As DVC 3 writes them, character by character.
D = f'[{{"md5": "{md5(HELLO)}", "relpath": "a"}}, {{"md5": "{md5(B)}", "relpath": "e/b"}}]'.encode()
FIGURES = f'[{{"md5": "{md5(HELLO)}", "relpath": "f"}}, {{"md5": "{md5(X)}", "relpath": "g"}}]'.encode()
OUTS = {
    "make": {"data/d": f"{md5(D)}.dir", "data/one": md5(HELLO)},
    "score": {"reports/figures": f"{md5(FIGURES)}.dir", "reports/m.json": md5(SIX)},
}
NAMES = {md5(HELLO): HELLO, md5(B): B, f"{md5(D)}.dir": D}  # what DVC keeps; git's is in its cache only by the way
MAKE = "dvc repro --single-item --force make"


def stored(name: str) -> str:
    return f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def loose(revision: str) -> str:
    """Return the path of git's object of that name."""
    name = subprocess.check_output(["git", "rev-parse", revision], encoding="ascii").strip()
    return f".git/objects/{name[:2]}/{name[2:]}"


def commit() -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "run")


def recorded(outs: dict[str, dict[str, str]]) -> str:
    entries = {
        stage: {"outs": [{"path": path, "hash": "md5", "md5": name} for path, name in paths.items()]}
        for stage, paths in outs.items()
    }
    return yaml.safe_dump({"schema": "2.0", "stages": entries}, sort_keys=False)


@pytest.fixture(scope="module")
def laid(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("laid") / "project"
    for path, data in {**FILES, **{stored(name): data for name, data in NAMES.items()}}.items():
        write(folder / path, data)
    for name in NAMES:
        (folder / stored(name)).chmod(0o444)
    for path, text in {
        "in.txt": "hello\n",
        "dvc.yaml": PIPELINE,
        "dvc.lock": recorded(OUTS),
        ".dvc/config": "[core]\n    analytics = false\n",
        ".gitignore": "/data\n/.dvc/cache\n/.dvc/tmp\n/.dvc/config.local\n",
    }.items():
        write(folder / path, text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "--quiet", "--template=")
        commit()
    return folder


@pytest.fixture
def project(laid, tmp_path, monkeypatch) -> Path:
    """A copy of a run that is whole; the test works in it."""
    shutil.copytree(laid, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    for name in [name for name in os.environ if name.startswith(("DVC_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return tmp_path / "project"


@pytest.fixture
def verify(capsys):
    """A function that runs the tool here, and returns its exit code and the lines that it prints."""

    def verify() -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as ended:
            command.run(main, argv=[])
        printed = capsys.readouterr()
        assert not (printed.out and printed.err)
        return ended.value.code, (printed.out + printed.err).splitlines()

    return verify


@pytest.fixture
def findings(verify):
    """A function that returns the findings of the tool; there must be some."""

    def findings() -> list[str]:
        code, lines = verify()
        assert code == 1
        assert all(line.startswith("error: ") for line in lines)
        return [line.removeprefix("error: ") for line in lines]

    return findings


def damage(path: str) -> str:
    """Change one bit of the last byte, and nothing that DVC looks at; return the MD5 of the new content."""
    before = os.stat(path)
    data = bytearray(Path(path).read_bytes())
    data[-1] ^= 1
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = os.stat(path)
    assert (after.st_size, after.st_mtime_ns, after.st_ino, after.st_mode) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
        before.st_mode,
    )
    return md5(data)


def changed(path: str, expected: str, got: str, fix: str) -> str:
    return f"{path}: not what dvc.lock records (expected {expected}, got {got}); fix: {fix}"


def test_a_whole_run_has_no_findings(project, verify):
    line = "all 4 outputs are what dvc.lock records, to the byte; HEAD has the same"
    assert verify() == (0, [line])


@pytest.mark.fault("a changed bit of an array")
def test_one_changed_bit_is_found_wherever_it_is(project, findings):
    for path in [*FILES, *map(stored, NAMES)]:
        damage(path)

        subject = "reports/figures" if "figures" in path else path  # a folder of git's is compared as a whole
        assert any(subject in line for line in findings())
        damage(path)  # puts the bit back


@pytest.mark.fault("an output is changed in place, its size and times kept")
def test_a_changed_output_of_dvc_is_restored_from_the_cache(project, findings):
    one, b = damage("data/one"), damage("data/d/e/b")

    assert findings() == [
        changed("data/d/e/b", f"MD5 {md5(B)}", f"MD5 {b}", "rm -rf data/d/e/b && dvc checkout --force data/d"),
        changed("data/one", f"MD5 {md5(HELLO)}", f"MD5 {one}", "rm -rf data/one && dvc checkout --force data/one"),
    ]


@pytest.mark.fault("an object of the cache is changed, its mode and times kept; its output is gone too")
def test_a_damaged_object_is_deleted_before_its_stage_runs_and_nothing_is_restored_from_it(project, findings):
    """DVC trusts read-only objects, and would end with the damaged bytes."""
    path = stored(md5(B))
    got, here = damage(path), damage("data/d/e/b")

    fix = f"rm -f {path} && {MAKE}"
    assert findings() == [
        f"data/d/e/b: {path}: damaged in DVC's cache (expected MD5 {md5(B)}, got MD5 {got}); fix: {fix}",
        changed("data/d/e/b", f"MD5 {md5(B)}", f"MD5 {here}", fix),
    ]


def test_an_object_of_two_outputs_is_named_for_both(project, findings):
    """It is not named for the figure of the same bytes: that command would delete the repaired object."""
    damage(stored(md5(HELLO)))

    assert [line.partition(":")[0] for line in findings()] == ["data/d/a", "data/one"]


def test_a_missing_object_is_found(project, findings):
    os.remove(stored(md5(B)))

    what = f"{stored(md5(B))}: missing in DVC's cache (expected MD5 {md5(B)}, got nothing)"
    assert findings() == [f"data/d/e/b: {what}; fix: {MAKE}"]


def test_without_the_list_of_a_folder_the_folder_is_compared_as_a_whole(project, findings):
    path = stored(f"{md5(D)}.dir")
    os.chmod(path, 0o644)
    Path(path).write_bytes(b"<html>")
    fix = f"rm -f {path} && {MAKE}"
    listed = f"data/d: {path}: damaged in DVC's cache (expected MD5 {md5(D)}.dir, got MD5 {md5(b'<html>')}.dir)"
    assert findings() == [f"{listed}; fix: {fix}"]

    b = damage("data/d/e/b")
    now = md5(D.replace(md5(B).encode(), b.encode()))
    assert findings() == [f"{listed}; fix: {fix}", changed("data/d", f"MD5 {md5(D)}.dir", f"MD5 {now}.dir", fix)]


def test_missing_and_unrecorded_files_are_named(project, findings):
    os.remove("data/one"), os.remove("data/d/e/b"), os.remove("reports/m.json")
    write(Path("data/d/my file"), X)

    assert findings() == [
        changed("data/d/my file", "nothing", f"MD5 {md5(X)}", "rm -rf 'data/d/my file'"),
        changed("data/d/e/b", f"MD5 {md5(B)}", "nothing", "rm -rf data/d/e/b && dvc checkout --force data/d"),
        changed("data/one", f"MD5 {md5(HELLO)}", "nothing", "rm -rf data/one && dvc checkout --force data/one"),
        changed("reports/m.json", f"MD5 {md5(SIX)}", "nothing", "dvc repro"),
    ]


@pytest.mark.parametrize(("remote", "fix"), [("", "dvc repro"), ("team", "dvc pull, or else dvc repro")])
def test_a_fresh_clone_pulls_from_a_remote_or_runs_the_pipeline(project, findings, remote, fix):
    write(Path(".dvc/config"), f"[core]\n    remote = {remote}\n['remote \"team\"']\n    url = ../remote\n".encode())
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache"), os.remove("reports/m.json")

    assert findings() == [
        changed("data/d", f"MD5 {md5(D)}.dir", "nothing", fix),
        changed("data/one", f"MD5 {md5(HELLO)}", "nothing", fix),
        changed("reports/m.json", f"MD5 {md5(SIX)}", "nothing", "dvc repro"),  # git keeps it
    ]


def test_outputs_that_are_not_in_the_record_are_named(project, findings):
    """As after an interrupted first run."""
    Path("dvc.lock").write_text(recorded({"make": {"data/one": md5(HELLO)}}), encoding="utf-8")

    paths = ("data/d", "reports/figures", "reports/m.json")
    assert findings() == [f"{path}: not in dvc.lock; fix: dvc repro" for path in paths]


def test_changed_reports_are_made_again(project, findings):
    got = damage("reports/m.json")
    damage("reports/figures/g")

    figures, metrics = findings()

    assert metrics == changed("reports/m.json", f"MD5 {md5(SIX)}", f"MD5 {got}", "rm -rf reports/m.json && dvc repro")
    assert figures.startswith(f"reports/figures: not what dvc.lock records (expected MD5 {md5(FIGURES)}.dir, got MD5 ")
    assert figures.endswith("; fix: rm -rf reports/figures && dvc repro")


def test_an_object_from_which_dvc_would_restore_a_report_is_checked_if_it_exists(project, findings, verify):
    path = stored(md5(SIX))
    write(Path(path), SIX)
    assert verify()[0] == 0
    got = damage(path)

    what = f"damaged in DVC's cache (expected MD5 {md5(SIX)}, got MD5 {got})"
    assert findings() == [f"reports/m.json: {path}: {what}; fix: rm -f {path}"]


# What git has


@pytest.mark.parametrize("name", ["m.json", "figures/g"])
@pytest.mark.fault("a report is edited by hand")
def test_reports_that_were_changed_and_committed_are_found_though_the_workspace_is_repaired(project, findings, name):
    path, out = f"reports/{name}", f"reports/{name.partition('/')[0]}"
    damage(path)
    os.utime(path)  # git trusts the time, too
    commit()
    damage(path)  # puts the bit back

    (line,) = findings()
    assert line.startswith(
        f"HEAD: {out}: not what HEAD's dvc.lock records (expected MD5 {OUTS['score'][out]}, got MD5 "
    )
    assert line.endswith(f"; fix: dvc repro && git add dvc.lock {out} && git commit -m 'Record the run'")


def test_a_run_that_is_not_committed_yet_is_whole_by_itself(project, verify):
    write(Path("reports/m.json"), b"7\n")
    Path("dvc.lock").write_text(recorded(OUTS).replace(md5(SIX), md5(b"7\n")), encoding="utf-8")

    code, (line,) = verify()

    assert (code, line.rpartition("; ")[2]) == (0, "HEAD has another run, which is whole too")


def without_commits() -> None:
    shutil.rmtree(".git")
    git("init", "--quiet", "--template=")


def without_repository() -> None:
    shutil.rmtree(".git")
    write(Path(".dvc/config.local"), b"[core]\n    no_scm = true\n")


def without_git() -> None:
    without_repository()
    os.environ["PATH"] = "nowhere"


@pytest.mark.parametrize("undo", [without_commits, without_repository, without_git])
@pytest.mark.fault("no git repository")
def test_without_git_there_is_no_commit_to_compare_with(project, verify, monkeypatch, undo):
    monkeypatch.setenv("PATH", os.environ["PATH"])  # to be put back
    undo()

    code, (line,) = verify()

    assert (code, line.rpartition("; ")[2]) == (0, "no commit to compare with")


@pytest.mark.parametrize("data", [None, b"damaged"], ids=["missing", "damaged"])
@pytest.mark.fault("git's objects or its branch are damaged or gone")
def test_an_error_of_git_is_one_line_in_its_words(project, verify, data):
    """It is neither a success, as if there were no commit, nor something unexpected."""
    objects = ("HEAD", "HEAD^{tree}", "HEAD:reports", "HEAD:dvc.lock", "HEAD:reports/m.json")
    branch = subprocess.check_output(["git", "symbolic-ref", "HEAD"], encoding="ascii").strip()
    for path in [*map(loose, objects), f".git/{branch}", ".git/HEAD"]:
        before = Path(path).read_bytes()
        os.remove(path)
        if data is not None:
            write(Path(path), data)

        code, (line,) = verify()

        assert code == 1
        fix = "git fsck, which names all damaged objects; then fetch them from another clone"
        assert re.fullmatch(rf"error: git (rev-list|ls-tree|cat-file): .+; fix: {fix}", line)
        write(Path(path), before)
    assert verify()[0] == 0


@pytest.fixture
def below(project, tmp_path) -> Path:
    """The project in a subfolder of a git repository; the test works in it. Returns git's top folder."""
    os.rename(".git", tmp_path / ".git")
    git("add", "--all", ".")
    git("commit", "--quiet", "--message", "subfolder")
    return tmp_path


def test_in_a_subfolder_the_commit_is_read_too(below, verify):
    code, (line,) = verify()
    assert code == 0 and line.endswith("; HEAD has the same")

    write(Path("reports/m.json"), b"7\n")
    commit()
    git("checkout", "--quiet", "HEAD~1", "--", "reports/m.json")

    code, (line,) = verify()
    assert code == 1 and line.startswith("error: HEAD: reports/m.json: not what HEAD's dvc.lock records (expected MD5 ")


@pytest.mark.fault("advice that holds in git's top folder alone")
def test_in_a_subfolder_git_is_told_to_trust_its_top_folder(below, verify, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # from git's own tests, for a checkout of another user

    fix = f"git config --global --add safe.directory {below}"
    assert verify() == (1, [f"error: git: does not trust the owner of this folder; fix: {fix}"])


@pytest.mark.fault("a git repository that is damaged, above the project")
def test_in_a_subfolder_a_damaged_repository_is_an_error(below, verify):
    os.remove(below / ".git/HEAD")

    code, (line,) = verify()

    assert code == 1 and line.startswith("error: git rev-list: fatal: not a git repository")


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_cache_that_is_elsewhere_and_linked_is_followed(project, verify, findings, tmp_path, link):
    shutil.move(".dvc/cache", tmp_path / "shared")
    write(Path(".dvc/config.local"), f"[cache]\n    dir = {tmp_path}/shared\n".encode())
    path = f"{tmp_path}/shared/files/md5/{md5(B)[:2]}/{md5(B)[2:]}"
    os.remove("data/d/e/b"), link(path, "data/d/e/b")
    assert verify()[0] == 0
    got = damage(path)

    fix = f"rm -f {path} && {MAKE}"
    assert findings() == [
        f"data/d/e/b: {path}: damaged in DVC's cache (expected MD5 {md5(B)}, got MD5 {got}); fix: {fix}",
        changed("data/d/e/b", f"MD5 {md5(B)}", f"MD5 {got}", fix),
    ]


# Records that are damaged or missing


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
@pytest.mark.fault("dvc.lock is empty, or has the marks of a merge")
def test_a_damaged_record_is_named_also_in_the_commit(project, verify, name):
    before = Path(name).read_bytes()
    Path(name).write_text("<<<<<<< HEAD\n=======\n>>>>>>> other\n", encoding="utf-8")
    commit()

    what = f"{name}: damaged: contains the markers of a merge conflict, <<<<<<<"
    code, (line,) = verify()
    assert code == 4 and line.startswith(f"error: {what}; fix: git checkout HEAD -- {name}")

    Path(name).write_bytes(before)
    assert verify() == (4, [f"error: HEAD: {what}; fix: dvc repro, then commit dvc.lock and dvc.yaml"])


@pytest.mark.parametrize("folder", ["data", ".."])
def test_another_folder_gives_one_line(project, verify, monkeypatch, folder):
    monkeypatch.chdir(folder)

    fix = "dvc repro, in the folder that holds dvc.yaml"
    assert verify() == (2, [f"error: dvc.lock: no such file here; fix: {fix}"])


def test_a_bad_config_gives_one_line(project, verify):
    Path(".dvc/config").write_text("[core\n", encoding="utf-8")

    code, (line,) = verify()

    assert code == 2 and line.startswith("error: .dvc: ") and line.endswith("; fix: git checkout -- .dvc")


@pytest.fixture
def run(project, monkeypatch):
    """A function that runs a command line as a user's shell does, and returns what it prints."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")

    def run(line: str) -> str:
        ended = subprocess.run(["sh", "-c", line], capture_output=True, encoding="utf-8", timeout=60, check=False)
        assert ended.returncode == 0, line + ended.stdout + ended.stderr
        return ended.stdout

    return run


@pytest.mark.slow
@pytest.mark.fault("an output is changed in place, its size and times kept")
def test_each_printed_command_repairs_its_finding(project, verify, findings, run):
    """With DVC itself, which does not notice most of this damage."""

    def mend() -> None:
        for line in findings():
            run(line.partition("; fix: ")[2])
        assert verify()[0] == 0
        assert {path: Path(path).read_bytes() for path in FILES} == FILES
        assert "up to date" in run("dvc status")

    by_hand = {path: Path(path).read_bytes() for path in map(stored, NAMES)}
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache"), shutil.rmtree("reports"), os.remove("dvc.lock")
    os.mkdir("reports")
    run("dvc repro")
    assert {path: Path(path).read_bytes() for path in by_hand} == by_hand
    outs = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert {stage: {out["path"]: out["md5"] for out in entry["outs"]} for stage, entry in outs.items()} == OUTS
    commit()
    assert verify()[0] == 0

    for path in ("data/one", "data/d/e/b", "reports/m.json", "reports/figures/g"):
        damage(path)
    write(Path("data/d/my file"), b"in no cache\n")
    os.remove("data/d/a")
    assert len(findings()) == 6
    mend()

    for path in ("data/d/a", "data/d/e/b"):
        write(Path(path), b"in no cache, of another size\n")
    mend()

    for path in (stored(md5(HELLO)), stored(md5(B)), "data/one"):
        damage(path)
    assert "up to date" in run("dvc status")
    assert "didn't change, skipping" in run("dvc repro")
    mend()

    damage(stored(f"{md5(D)}.dir")), damage("data/d/e/b")
    damage(stored(md5(SIX))), damage("reports/m.json")
    mend()

    os.remove(stored(md5(B)))
    mend()

    os.remove(stored(f"{md5(D)}.dir")), os.remove("data/one")
    mend()

    damage(stored(md5(HELLO))), os.remove("data/one")
    mend()

    shutil.rmtree("data"), shutil.rmtree(".dvc/cache"), shutil.rmtree("reports/figures")
    mend()

    write(Path("reports/m.json"), b"7\n")
    commit()
    mend()
    assert run("git status --porcelain") == ""
