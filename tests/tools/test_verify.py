"""The tool on a small project that DVC itself ran. Each damage is found, and the printed commands repair it.

Damage keeps size, time and mode, so only the bytes show it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import command
from tests.project import scrubbed
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
HELLO, B, SIX, SEVEN, X = b"hello\n", b"b\n", b"6\n", b"7\n", b"x\n"
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


def folder(first: str, second: str, md5_of_second: str) -> str:
    """Return the digest of a folder of two files, the first of them HELLO, by the list that DVC 3 writes."""
    member = '{"md5": "%s", "relpath": "%s"}'
    listing = f"[{member % (md5(HELLO), first)}, {member % (md5_of_second, second)}]"
    return f"{md5(listing.encode())}.dir"


D, FIGURES = folder("a", "e/b", md5(B)), folder("f", "g", md5(X))
MAKE = "dvc repro --single-item --force make"


def stored(name: str) -> str:
    return f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"


def write(path: str, data: bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, encoding="utf-8").stdout


def commit() -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "run")


def run(line: str) -> str:
    """Run a command line as a user's shell does; return what it prints."""
    ended = subprocess.run(["sh", "-c", line], capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert ended.returncode == 0, line + ended.stdout + ended.stderr
    return ended.stdout


def damage(path: str) -> str:
    """Change one bit of the last byte, and nothing that DVC looks at; return the MD5 of the new content."""
    before = os.stat(path)
    data = bytearray(Path(path).read_bytes())
    data[-1] ^= 1
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.write(data)
    os.chmod(path, before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return md5(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "project"
    (folder / "reports").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare(patch, folder.parent)
        write("in.txt", HELLO)
        write("dvc.yaml", PIPELINE.encode())
        write(".dvc/config", b"[core]\n    analytics = false\n")
        write(".gitignore", b"/data\n/.dvc/cache\n/.dvc/tmp\n/.dvc/config.local\n")
        git("init", "--quiet", "--template=")
        run("dvc repro")
        commit()
    return folder


def prepare(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set up the environment in which DVC and git run."""
    for name in os.environ.keys() - scrubbed().keys():
        patch.delenv(name)
    for name, value in scrubbed().items():
        patch.setenv(name, value)
    patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
    patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """A copy of a whole run; the test works in it."""
    shutil.copytree(made, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    prepare(monkeypatch, tmp_path)
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


def changed(path: str, expected: str, got: str, fix: str) -> str:
    expected, got = (f"MD5 {each}" if each else "nothing" for each in (expected, got))
    return f"error: {path}: not what dvc.lock records (expected {expected}, got {got}); fix: {fix}"


def cached(path: str, md5: str, got: str, fix: str) -> str:
    found, got = ("damaged in DVC's cache", f"MD5 {got}") if got else ("missing in DVC's cache", "nothing")
    return f"error: {path}: {stored(md5)}: {found} (expected MD5 {md5}, got {got}); fix: {fix}"


# Each function does some damage, and returns the lines that the tool then prints.


def outputs_of_dvc_are_changed_in_place():
    one, b = damage("data/one"), damage("data/d/e/b")
    return [
        changed("data/d/e/b", md5(B), b, "rm -rf data/d/e/b && dvc checkout --force data/d"),
        changed("data/one", md5(HELLO), one, "rm -rf data/one && dvc checkout --force data/one"),
    ]


def reports_are_changed():
    g, metrics = damage("reports/figures/g"), damage("reports/m.json")
    return [
        changed("reports/figures/g", md5(X), g, "rm -rf reports/figures/g && dvc repro"),
        changed("reports/m.json", md5(SIX), metrics, "rm -rf reports/m.json && dvc repro"),
    ]


def files_are_missing_or_unrecorded():
    os.remove("data/one"), os.remove("data/d/e/b"), os.remove("reports/m.json")
    write("data/d/my file", X)
    return [
        changed("data/d/my file", "", md5(X), "rm -rf 'data/d/my file'"),
        changed("data/d/e/b", md5(B), "", "rm -rf data/d/e/b && dvc checkout --force data/d"),
        changed("data/one", md5(HELLO), "", "rm -rf data/one && dvc checkout --force data/one"),
        changed("reports/m.json", md5(SIX), "", "rm -rf reports/m.json && dvc repro"),
    ]


def an_object_and_its_file_are_damaged():
    """DVC trusts read-only objects. So nothing is restored from one, and it is deleted before its stage runs."""
    got, here = damage(stored(md5(B))), damage("data/d/e/b")
    fix = f"rm -f {stored(md5(B))} && {MAKE}"
    return [cached("data/d/e/b", md5(B), got, fix), changed("data/d/e/b", md5(B), here, fix)]


def an_object_of_two_outputs_is_damaged():
    """It is not named for the figure of the same bytes: that command would delete the repaired object."""
    got, fix = damage(stored(md5(HELLO))), f"rm -f {stored(md5(HELLO))} && {MAKE}"
    return [cached("data/d/a", md5(HELLO), got, fix), cached("data/one", md5(HELLO), got, fix)]


def an_object_is_missing():
    os.remove(stored(md5(B)))
    return [cached("data/d/e/b", md5(B), "", MAKE)]


def the_list_of_a_folder_is_damaged():
    """Then the folder is compared as a whole."""
    got, b = damage(stored(D)), damage("data/d/e/b")
    fix = f"rm -f {stored(D)} && {MAKE}"
    return [cached("data/d", D, f"{got}.dir", fix), changed("data/d", D, folder("a", "e/b", b), fix)]


def an_object_of_a_report_is_damaged():
    """DVC would restore the report from it."""
    got = damage(stored(md5(SIX)))
    return [cached("reports/m.json", md5(SIX), got, f"rm -f {stored(md5(SIX))}")]


def nothing_was_fetched():
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache")
    g = damage("reports/figures/g")
    return [
        changed("data/d", D, "", "dvc repro"),
        changed("data/one", md5(HELLO), "", "dvc repro"),
        changed("reports/figures", FIGURES, folder("f", "g", g), "rm -rf reports/figures && dvc repro"),
    ]


def the_record_is_that_of_an_interrupted_first_run():
    text = Path("dvc.lock").read_text(encoding="utf-8")
    write("dvc.lock", text[: text.index("  score:")].encode())
    return [f"error: {path}: not in dvc.lock; fix: dvc repro" for path in ("reports/figures", "reports/m.json")]


def a_changed_report_was_committed():
    write("reports/figures/g", SEVEN)
    commit()
    git("checkout", "HEAD~1", "--", "reports/figures/g")
    what = f"not what HEAD's dvc.lock records (expected MD5 {FIGURES}, got MD5 {folder('f', 'g', md5(SEVEN))})"
    fix = "dvc repro && git add dvc.lock reports/figures && git commit -m 'Record the run' -- dvc.lock reports/figures"
    return [f"error: HEAD: reports/figures: {what}; fix: {fix}"]


CASES = [
    pytest.param(
        outputs_of_dvc_are_changed_in_place,
        marks=pytest.mark.fault("an output is changed in place, its size and times kept"),
    ),
    reports_are_changed,
    files_are_missing_or_unrecorded,
    pytest.param(
        an_object_and_its_file_are_damaged,
        marks=pytest.mark.fault("an object of the cache is changed, its mode and times kept; its output is gone too"),
    ),
    an_object_of_two_outputs_is_damaged,
    an_object_is_missing,
    the_list_of_a_folder_is_damaged,
    an_object_of_a_report_is_damaged,
    nothing_was_fetched,
    the_record_is_that_of_an_interrupted_first_run,
    pytest.param(a_changed_report_was_committed, marks=pytest.mark.fault("a report is edited by hand")),
]


@pytest.mark.parametrize("damage", CASES)
def test_damage_is_found(project, verify, damage):
    expected = damage()

    assert verify() == (1, expected)


@pytest.mark.slow
@pytest.mark.parametrize("damage", CASES)
def test_each_printed_command_repairs_its_finding(project, verify, damage):
    damage()

    for line in verify()[1]:
        run(line.partition("; fix: ")[2])

    assert verify()[0] == 0
    assert {path: Path(path).read_bytes() for path in FILES} == FILES
    assert "up to date" in run("dvc status")
    assert run("git status --porcelain") == ""


def test_a_whole_run_has_no_findings(project, verify):
    line = "all 4 outputs are what dvc.lock records, to the byte; HEAD has the same"
    assert verify() == (0, [line])


@pytest.mark.fault("a changed bit of an array")
def test_one_changed_bit_is_found_wherever_it_is(project, verify):
    for path in [*FILES, *map(stored, (md5(HELLO), md5(B), D))]:
        damage(path)
        assert verify()[0] == 1, path
        damage(path)  # puts the bit back
    assert verify()[0] == 0


def test_data_are_pulled_if_there_is_a_remote(project, verify):
    write(".dvc/config", b"[core]\n    remote = team\n['remote \"team\"']\n    url = ../remote\n")
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache")

    assert {line.partition("; fix: ")[2] for line in verify()[1]} == {"dvc pull, or else dvc repro"}


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_cache_that_is_elsewhere_and_linked_is_followed(project, verify, tmp_path, link):
    shutil.move(".dvc/cache", tmp_path / "shared")
    write(".dvc/config.local", f"[cache]\n    dir = {tmp_path}/shared\n".encode())
    path = f"{tmp_path}/shared/files/md5/{md5(B)[:2]}/{md5(B)[2:]}"
    os.remove("data/d/e/b"), link(path, "data/d/e/b")
    assert verify()[0] == 0
    damage(path)

    code, lines = verify()

    assert (code, len(lines)) == (1, 2)
    assert all(line.endswith(f"; fix: rm -f {path} && {MAKE}") for line in lines)


# What git has


def test_a_run_that_is_not_committed_yet_is_whole_by_itself(project, verify):
    write("reports/m.json", SEVEN)
    text = Path("dvc.lock").read_text(encoding="utf-8")
    write("dvc.lock", text.replace(md5(SIX), md5(SEVEN)).encode())

    code, (line,) = verify()

    assert (code, line.rpartition("; ")[2]) == (0, "HEAD has another run, which is whole too")


def without_commits() -> None:
    shutil.rmtree(".git")
    git("init", "--quiet", "--template=")


def without_repository() -> None:
    shutil.rmtree(".git")
    write(".dvc/config.local", b"[core]\n    no_scm = true\n")


def without_git() -> None:
    without_repository()
    os.environ["PATH"] = "nowhere"


@pytest.mark.parametrize("undo", [without_commits, without_repository, without_git])
@pytest.mark.fault("no git repository")
def test_without_git_there_is_no_commit_to_compare_with(project, verify, undo):
    undo()

    code, (line,) = verify()

    assert (code, line.rpartition("; ")[2]) == (0, "no commit to compare with")


@pytest.mark.parametrize("data", [None, b"damaged"], ids=["missing", "damaged"])
@pytest.mark.fault("git's objects or its branch are damaged or gone")
@pytest.mark.fault("a git repository that is damaged, above the project")
def test_an_error_of_git_is_one_line_in_its_words(project, verify, data):
    """It is neither a success, as if there were no commit, nor something unexpected."""
    names = git("rev-parse", "HEAD", "HEAD^{tree}", "HEAD:reports/m.json").split()
    objects = [f".git/objects/{name[:2]}/{name[2:]}" for name in names]
    branch = git("symbolic-ref", "HEAD").strip()
    for path in [*objects, f".git/{branch}", ".git/HEAD"]:
        before = Path(path).read_bytes()
        os.remove(path)
        if data is not None:
            write(path, data)

        code, (line,) = verify()

        assert code == 1
        fix = "git fsck, which names all damaged objects; then fetch them from another clone"
        assert re.fullmatch(rf"error: git (rev-list|ls-tree|cat-file): .+; fix: {fix}", line)
        write(path, before)
    assert verify()[0] == 0


@pytest.mark.fault("advice that holds in git's top folder alone")
@pytest.mark.fault("a checkout that another user owns")
def test_in_a_subfolder_the_commit_is_read_too_and_git_is_told_to_trust_its_top_folder(
    project, verify, tmp_path, monkeypatch
):
    os.rename(".git", tmp_path / ".git")
    write("../.gitignore", b"/site\n")
    commit()
    code, (line,) = verify()
    assert code == 0 and line.endswith("; HEAD has the same")
    expected = a_changed_report_was_committed()
    assert verify() == (1, expected)

    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # from git's own tests, for a checkout of another user
    fix = f"git config --global --add safe.directory {tmp_path}"
    assert verify() == (1, [f"error: git: does not trust the owner of this folder; fix: {fix}"])


# Records that are damaged or missing


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
@pytest.mark.fault("dvc.lock is empty, or has the marks of a merge")
def test_a_damaged_record_is_named_also_in_the_commit(project, verify, name):
    before = Path(name).read_bytes()
    write(name, b"<<<<<<< HEAD\n=======\n>>>>>>> other\n")
    commit()

    what = f"{name}: damaged: contains the markers of a merge conflict, <<<<<<<"
    code, (line,) = verify()
    assert code == 4 and line.startswith(f"error: {what}; fix: git checkout HEAD -- {name}")

    write(name, before)
    assert verify() == (4, [f"error: HEAD: {what}; fix: dvc repro, then commit dvc.lock and dvc.yaml"])


@pytest.mark.parametrize("folder", ["data", ".."])
def test_another_folder_gives_one_line(project, verify, monkeypatch, folder):
    monkeypatch.chdir(folder)

    fix = "dvc repro, in the folder that holds dvc.yaml"
    assert verify() == (2, [f"error: dvc.lock: no such file here; fix: {fix}"])


def test_a_bad_config_gives_one_line(project, verify):
    write(".dvc/config", b"[core\n")

    code, (line,) = verify()

    assert (
        code == 2
        and line.startswith("error: .dvc: ")
        and line.endswith("; fix: repair .dvc/config, or delete .dvc/config.local")
    )
