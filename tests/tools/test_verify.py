"""The tool on a small project: files, records and objects laid by hand as DVC lays them, and once by DVC itself.

All damage keeps size, time and mode, so nothing but the bytes gives it away.
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
from core.cli.errors import DataError
from tools.verify import lock
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
    """Return the path of git's object of that name, which is no part of a pack."""
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
    """A function that returns what the tool finds, which has to be something."""

    def findings() -> list[str]:
        code, lines = verify()
        assert code == 1
        assert all(line.startswith("error: ") for line in lines)
        return [line.removeprefix("error: ") for line in lines]

    return findings


def damage(path: str) -> str:
    """Change one bit of the last byte, and nothing that DVC looks at; return the MD5 of what is there now."""
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
    return f"{path}: not what dvc.lock says (expected {expected}, got {got}); fix: {fix}"


def test_a_run_that_is_whole_is_counted(project, verify):
    read = [*FILES.values(), *NAMES.values(), *(FILES[path] for path in FILES if path.startswith("reports/"))]

    assert verify() == (
        0,
        [
            f"4 outputs are as dvc.lock says: {len(read)} files, {sum(map(len, read))} bytes read; HEAD has the same",
        ],
    )


@pytest.mark.fault("a changed bit of an array")
def test_one_changed_bit_is_found_wherever_it_is(project, findings):
    for path in [*FILES, *map(stored, NAMES)]:
        got = damage(path)

        assert any(path in line and f"got MD5 {got}" in line for line in findings())
        damage(path)  # puts the bit back


@pytest.mark.fault("an output is changed in place, its size and times kept")
def test_an_output_of_dvcs_that_was_changed_is_brought_from_the_cache(project, findings):
    one, b = damage("data/one"), damage("data/d/e/b")

    assert findings() == [
        changed("data/d/e/b", f"MD5 {md5(B)}", f"MD5 {b}", "rm -rf data/d/e/b && dvc checkout --force data/d"),
        changed("data/one", f"MD5 {md5(HELLO)}", f"MD5 {one}", "rm -rf data/one && dvc checkout --force data/one"),
    ]


@pytest.mark.fault("an object of the cache is changed, its mode and times kept; its output is gone too")
def test_a_damaged_object_is_deleted_before_its_stage_runs(project, findings):
    """As DVC takes what is read-only for whole, it would end with the damaged bytes."""
    got, path = damage(stored(md5(B))), stored(md5(B))

    assert findings() == [
        f"data/d/e/b: {path}: damaged in DVC's cache (expected MD5 {md5(B)}, got MD5 {got}); "
        f"fix: rm -f {path} && {MAKE}",
    ]


@pytest.mark.fault("an object of the cache is changed, its mode and times kept; its output is gone too")
def test_nothing_is_brought_from_a_damaged_object(project, findings):
    path = stored(md5(B))
    damage(path), damage("data/d/e/b")

    assert [line.partition("fix: ")[2] for line in findings()] == [f"rm -f {path} && {MAKE}"] * 2


def test_an_object_of_two_outputs_is_named_for_both(project, findings):
    """But not for the figure of the same bytes: what mends that would remove the object when it is mended already."""
    damage(stored(md5(HELLO)))

    assert [line.partition(":")[0] for line in findings()] == ["data/d/a", "data/one"]


def test_a_missing_object_is_found(project, findings):
    path = stored(md5(B))
    os.remove(path)

    assert findings() == [
        f"data/d/e/b: {path}: missing in DVC's cache (expected MD5 {md5(B)}, got nothing); fix: {MAKE}"
    ]


@pytest.mark.parametrize("data", [b"", b"<html>", b"[" * 100_000, b'[{"md5": "x"}]', D.replace(b"e/b", b"../")])
def test_a_damaged_listing_is_found_and_what_it_listed_known_from_the_workspace(project, findings, data):
    path = stored(f"{md5(D)}.dir")
    os.chmod(path, 0o644)
    Path(path).write_bytes(data)
    b = damage(stored(md5(B)))

    assert findings() == [
        f"data/d: {path}: damaged in DVC's cache (expected MD5 {md5(D)}.dir, got MD5 {md5(data)}); "
        f"fix: rm -f {path} && {MAKE}",
        f"data/d/e/b: {stored(md5(B))}: damaged in DVC's cache (expected MD5 {md5(B)}, got MD5 {b}); "
        f"fix: rm -f {stored(md5(B))} && {MAKE}",
    ]


def test_a_folder_whose_listing_is_nowhere_is_one_finding_of_its_own(project, findings):
    path = stored(f"{md5(D)}.dir")
    damage(path)
    b = damage("data/d/e/b")
    now = md5(D.replace(md5(B).encode(), b.encode()))

    assert findings()[1:] == [
        changed("data/d", f"MD5 {md5(D)}.dir", f"MD5 {now}.dir", f"rm -f {path} && {MAKE}"),
    ]


@pytest.mark.parametrize("listing", [b"nothing that lists", b'[{"md5": "%s", "relpath": "../x"}]' % md5(X).encode()])
def test_an_object_that_lists_no_files_of_its_folder_is_no_listing_though_its_name_is_right(project, findings, listing):
    name = f"{md5(listing)}.dir"
    write(Path(stored(name)), listing)
    Path("dvc.lock").write_text(recorded(OUTS).replace(f"{md5(D)}.dir", name), encoding="utf-8")

    assert findings()[0] == (
        f"data/d: {stored(name)}: damaged in DVC's cache (expected MD5 {name}, got no listing of files); "
        f"fix: rm -f {stored(name)} && {MAKE}"
    )


def test_files_that_are_missing_or_not_recorded_are_named(project, findings):
    os.remove("data/one"), os.remove("data/d/e/b"), os.remove("reports/m.json")
    write(Path("data/d/my file"), X)
    write(Path("reports/figures/.f.123.tmp"), X)

    assert findings() == [
        changed("data/d/my file", "nothing", f"MD5 {md5(X)}", "rm -rf 'data/d/my file'"),
        changed("data/d/e/b", f"MD5 {md5(B)}", "nothing", "rm -rf data/d/e/b && dvc checkout --force data/d"),
        changed("data/one", f"MD5 {md5(HELLO)}", "nothing", "rm -rf data/one && dvc checkout --force data/one"),
        changed("reports/figures/.f.123.tmp", "nothing", f"MD5 {md5(X)}", "rm -rf reports/figures/.f.123.tmp"),
        changed("reports/m.json", f"MD5 {md5(SIX)}", "nothing", "dvc repro"),
    ]


def test_a_fresh_clone_is_told_to_run_the_pipeline(project, findings):
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache")

    nowhere = "nothing, here and in DVC's cache"
    assert findings() == [
        changed("data/d", f"MD5 {md5(D)}.dir", nowhere, "dvc repro"),
        changed("data/one", f"MD5 {md5(HELLO)}", nowhere, "dvc repro"),
    ]


def test_a_fresh_clone_of_a_project_with_a_remote_is_told_to_pull(project, findings):
    write(Path(".dvc/config"), b"[core]\n    remote = team\n['remote \"team\"']\n    url = ../remote\n")
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache"), os.remove("reports/m.json")

    fixes = [line.partition("; fix: ")[2] for line in findings()]

    assert fixes == ["dvc pull, or else dvc repro", "dvc pull, or else dvc repro", "dvc repro"]  # git keeps the last


def test_outputs_that_the_record_leaves_out_are_named(project, findings):
    """As after a first run that did not come to its end: the files may be there, with nothing to hold them against."""
    Path("dvc.lock").write_text(recorded({"make": {"data/one": md5(HELLO)}}), encoding="utf-8")

    assert findings() == [
        f"{path}: not in dvc.lock (expected an MD5, got nothing); fix: dvc repro"
        for path in ("data/d", "reports/m.json", "reports/figures")
    ]


def test_only_regular_files_are_read_and_links_to_elsewhere_named(project, findings, tmp_path):
    """A pipe would block who opens it."""
    write(tmp_path / "elsewhere/a", HELLO)
    os.remove("data/one"), os.mkfifo("data/one")
    os.remove("data/d/a"), os.symlink(tmp_path / "elsewhere/a", "data/d/a")
    os.symlink(tmp_path / "elsewhere", "data/d/folder")
    os.symlink("loop", "data/d/loop")
    shutil.rmtree("reports/figures"), os.symlink(tmp_path / "elsewhere", "reports/figures")

    assert [line.partition("; fix")[0].partition(": ")[::2] for line in findings()] == [
        ("data/d/folder", "not what dvc.lock says (expected nothing, got a link to elsewhere)"),
        ("data/d/loop", "not what dvc.lock says (expected nothing, got no regular file)"),
        ("data/d/a", f"not what dvc.lock says (expected MD5 {md5(HELLO)}, got a link to elsewhere)"),
        ("data/one", f"not what dvc.lock says (expected MD5 {md5(HELLO)}, got no regular file)"),
        ("reports/figures", "not what dvc.lock says (expected nothing, got a link to elsewhere)"),
        ("reports/figures/f", f"not what dvc.lock says (expected MD5 {md5(HELLO)}, got nothing)"),
        ("reports/figures/g", f"not what dvc.lock says (expected MD5 {md5(X)}, got nothing)"),
    ]


def test_reports_that_were_changed_here_are_made_again(project, findings):
    """The folder's listing is in no cache; the commit has it."""
    figure, metrics = damage("reports/figures/g"), damage("reports/m.json")

    assert findings() == [
        changed("reports/figures/g", f"MD5 {md5(X)}", f"MD5 {figure}", "rm -rf reports/figures/g && dvc repro"),
        changed("reports/m.json", f"MD5 {md5(SIX)}", f"MD5 {metrics}", "rm -rf reports/m.json && dvc repro"),
    ]


def test_an_object_that_dvc_would_restore_a_report_from_is_checked_if_there_is_one(project, findings, verify):
    path = stored(md5(SIX))
    write(Path(path), SIX)
    assert verify()[0] == 0
    got = damage(path)

    assert findings() == [
        f"reports/m.json: {path}: damaged in DVC's cache (expected MD5 {md5(SIX)}, got MD5 {got}); fix: rm -f {path}"
    ]


@pytest.mark.parametrize("name", ["m.json", "figures/g"])
@pytest.mark.fault("a report is edited by hand")
def test_reports_that_were_changed_and_committed_are_found_though_the_workspace_is_mended(project, findings, name):
    path, out = f"reports/{name}", f"reports/{name.partition('/')[0]}"
    right, got = md5(FILES[path]), damage(path)
    os.utime(path)  # for git goes by the time, too
    commit()
    damage(path)  # puts the bit back

    assert findings() == [
        f"HEAD: {path}: not what HEAD's dvc.lock says (expected MD5 {right}, got MD5 {got}); "
        f"fix: dvc repro && git add dvc.lock {out} && git commit -m 'Record the run'"
    ]


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
def test_without_git_there_is_no_commit_to_hold_anything_against(project, verify, monkeypatch, undo):
    monkeypatch.setenv("PATH", os.environ["PATH"])  # to be put back
    undo()

    code, (line,) = verify()

    assert (code, line.rpartition("; ")[2]) == (0, "no commit to hold them against")


@pytest.mark.parametrize("data", [None, b"", b"damaged"], ids=["missing", "empty", "damaged"])
@pytest.mark.fault("git's objects or its branch are damaged or gone")
def test_what_git_can_not_read_of_the_commit_is_told_in_its_words(project, verify, data):
    """None of it is a success, as if there were no commit, or something unexpected."""
    objects = ("HEAD", "HEAD^{tree}", "HEAD:reports", "HEAD:dvc.lock", "HEAD:reports/m.json")
    branch = subprocess.check_output(["git", "symbolic-ref", "HEAD"], encoding="ascii").strip()
    for path in [*map(loose, objects), f".git/{branch}", ".git/HEAD"]:
        before = Path(path).read_bytes()
        os.remove(path)
        if data is not None:
            write(Path(path), data)

        code, (line,) = verify()

        assert code == 1
        fix = "git fsck, which names all that is damaged; then bring that from another clone"
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
    assert code == 1 and line.startswith("error: HEAD: reports/m.json: not what HEAD's dvc.lock says (expected MD5 ")


@pytest.mark.fault("advice that holds in git's top folder alone")
def test_in_a_subfolder_git_is_told_to_trust_its_top_folder(below, verify, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own tests have it for a checkout of others

    fix = f"git config --global --add safe.directory {below}"
    assert verify() == (1, [f"error: git: does not trust the owner of this folder; fix: {fix}"])


@pytest.mark.fault("a git repository that is damaged, above the project")
def test_in_a_subfolder_a_damaged_repository_is_not_taken_for_none(below, verify):
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

    assert findings() == [
        f"data/d/e/b: {path}: damaged in DVC's cache (expected MD5 {md5(B)}, got MD5 {got}); "
        f"fix: rm -f {path} && {MAKE}",
        changed("data/d/e/b", f"MD5 {md5(B)}", f"MD5 {got}", f"rm -f {path} && {MAKE}"),
    ]


ONE = "stages: {make: {outs: [{path: %s, hash: md5, md5: %s}]}}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "'NoneType' object is not subscriptable"),
        ("stages: [", "while parsing a flow node expected the node content, "),
        ("stages: " + "[" * 400, ""),  # too deep, or not closed
        (ONE % ("../x", md5(X)), "Value error, leads elsewhere at make.outs.0.path"),
        (ONE % ("/x", md5(X)), "Value error, leads elsewhere at make.outs.0.path"),
        (ONE % ("x", "12"), "Input should be a valid string at make.outs.0.md5"),
        (ONE % ("x", "../../x"), "String should match pattern"),
        (ONE.replace("hash: md5, ", "") % ("x", md5(X)), "Field required at make.outs.0.hash"),
    ],
)
def test_a_damaged_lock_says_where(text, what):
    with pytest.raises(DataError) as caught:
        lock.parse(text, PIPELINE)

    line = str(caught.value)
    assert line.startswith(f"dvc.lock: not whole (expected a record of stages, got {what}")
    assert line.endswith("; fix: git checkout HEAD -- dvc.lock, then dvc repro")


@pytest.mark.parametrize("text", ["", "stages: 1", "stages: {make: 1}", "stages: {make: {outs: 1}}"])
def test_a_damaged_pipeline_is_named(text):
    with pytest.raises(DataError, match=r"^dvc\.yaml: not whole "):
        lock.parse(recorded(OUTS), text)


@pytest.mark.fault("dvc.lock is empty, or has the marks of a merge")
def test_a_merge_conflict_is_called_so(project, verify):
    Path("dvc.lock").write_text("<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> other\n", encoding="utf-8")

    assert verify() == (
        4,
        [
            "error: dvc.lock: has the markers of a merge conflict, <<<<<<<; "
            "fix: git checkout HEAD -- dvc.lock, then dvc repro"
        ],
    )


def test_a_damaged_lock_of_the_commit_gives_one_line(project, verify):
    Path("dvc.lock").write_text("", encoding="utf-8")
    commit()
    Path("dvc.lock").write_text(recorded(OUTS), encoding="utf-8")

    code, (line,) = verify()

    assert code == 4
    assert line.startswith("error: HEAD: dvc.lock: not whole (expected a record of stages, got ")
    assert line.endswith("; fix: dvc repro, then commit dvc.lock and dvc.yaml")


@pytest.mark.parametrize("folder", ["data", ".."])
def test_another_folder_gives_one_line(project, verify, monkeypatch, folder):
    monkeypatch.chdir(folder)

    assert verify() == (
        2,
        ["error: dvc.lock: no such file here; fix: dvc repro, in the folder that holds dvc.yaml"],
    )


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
def test_each_command_that_is_printed_mends_what_it_is_printed_for(project, verify, findings, run):
    """Under DVC itself, which sees nothing of most of this."""

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
