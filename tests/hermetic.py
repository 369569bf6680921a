"""A stage run again where there is nothing but what it declares: in a folder with the dependencies and the params of
its entry in dvc.lock, with an empty home, none of the user's environment, and no network where that may be cut. What it
makes there must be what dvc.lock says, and nothing else may change.

DVC skips a stage as long as what is declared did not change. What else the stage reads makes its results stale for
good, and `dvc status` finds nothing wrong. What is not looked at: the mode of an input, and what is written by an
absolute path to somewhere outside of the project, the home and the folder for temporary files.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

Param = tuple[str, ...]  # such as ("params.yaml", "train", "epochs")

PARAM_FILES = ("params.yaml", "datasets.yaml")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc")
NOT_OF_THE_TREE = (".git", ".dvc", "__pycache__")

# A sitecustomize.py, which Python imports before anything else. Python itself is asked what a process ran, at its end:
# it may have opened a compiled file in place of the one that is declared, or imported it by a name put together.
NOTES_WHAT_RUNS = """\
import atexit, sys
from pathlib import Path

@atexit.register
def note():
    stage = getattr(sys.modules["__main__"].__spec__, "name", "").removesuffix(".__main__")
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())} - {None, __file__}
    with open(Path(__file__).with_name("ran.txt"), "a", encoding="utf-8") as notes:
        notes.writelines(f"{stage}\\t{file}\\n" for file in sorted(files))
"""


class Rerun(NamedTuple):
    """A stage that has ended: the bytes of each file in its folder before and after, what it left elsewhere, and files
    of code that it ran and that are neither in its folder nor installed.
    """

    code: int
    stderr: str
    before: dict[str, bytes]
    after: dict[str, bytes]
    left: list[str]
    foreign: list[str]


def check(project: Path, stage: str, scratch: Path, **environment: str) -> list[str]:
    """Return what is wrong with a stage's declaration, a line each, the file or param that is to blame by its name.

    `project` must have been run by DVC; it is left alone. `scratch` is a folder yet to be made.
    """
    locked = read_yaml(project / "dvc.lock")["stages"][stage]
    numbers = count()

    def rerun_given(withheld: Sequence[str | Param]) -> Rerun:
        return rerun(project, locked, withheld, scratch / str(next(numbers)), environment)

    def outcome(ended: Rerun) -> list[object]:
        return [ended.code, *(md5(ended.after, out["path"]) for out in locked["outs"])]

    bare = rerun_given([])
    found = findings(locked, bare)
    suspects: list[str | Param] = [*undeclared_files(project, locked), *undeclared_params(project, locked)]
    if found and outcome(rerun_given(suspects)) != outcome(bare):
        while len(suspects) > 1:  # one of them makes the difference: which half of them is it in, and so on
            half = suspects[: len(suspects) // 2]
            suspects = half if outcome(rerun_given(half)) != outcome(bare) else suspects[len(half) :]
        name = suspects[0] if isinstance(suspects[0], str) else f"{suspects[0][0]}: {'.'.join(suspects[0][1:])}"
        found.append(f"{name}: read, but not declared")
    return found


def findings(locked: Mapping[str, Any], ended: Rerun) -> list[str]:
    """Return what is wrong with a run, given the stage's entry in dvc.lock."""
    deps, outs = ({item["path"]: item["md5"] for item in locked.get(kind, [])} for kind in ("deps", "outs"))
    last_line = ended.stderr.rstrip().rpartition("\n")[2]
    found = [f"exit code {ended.code}: {last_line}"] if ended.code else []
    found += [f"{path}: not what dvc.lock says it was" for path in deps if md5(ended.before, path) != deps[path]]
    found += [
        f"{path}: there before, and changed by the stage"
        for path, data in ended.before.items()
        if ended.after.get(path) != data
    ]
    made = sorted(ended.after.keys() - ended.before.keys())
    found += [f"{path}: made, but not declared" for path in made if not within(path, outs)]
    found += [
        f"{path}: declared, but not made" if not_made(ended.after, path) else f"{path}: not what dvc.lock says it is"
        for path in outs
        if md5(ended.after, path) != outs[path]
    ]
    found += [f"{path}: left behind outside of the project" for path in ended.left]
    return found + [f"{path}: ran, though it is neither declared nor installed" for path in ended.foreign]


def rerun(
    project: Path,
    locked: Mapping[str, Any],
    withheld: Sequence[str | Param],
    scratch: Path,
    environment: Mapping[str, str],
) -> Rerun:
    """Run a stage by its entry in dvc.lock, with what it declares and with what is otherwise withheld from it."""
    folder, home, temporary, notes = (scratch / name for name in ("project", "home", "temporary", "notes"))
    for path in (folder, home, temporary, notes):
        path.mkdir(parents=True)
    (notes / "sitecustomize.py").write_text(NOTES_WHAT_RUNS, encoding="utf-8")
    for name in [dep["path"] for dep in locked["deps"]] + [item for item in withheld if isinstance(item, str)]:
        copy(project / name, folder / name)
    values = dict(leaves(locked.get("params", {})))
    known = read_leaves(project)
    values |= {leaf: known[leaf] for leaf in withheld if isinstance(leaf, tuple)}
    for name, content in tree(values).items():
        if not (folder / name).exists():  # a dependency as a whole of the stage that validates it
            (folder / name).write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    own = {
        "PATH": str(Path(sys.executable).parent),
        "PYTHONPATH": str(notes),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "TMPDIR": str(temporary),
    }
    before = snapshot(folder)
    ended = subprocess.run(
        [*network_cut(), "/bin/sh", "-c", locked["cmd"]],
        cwd=folder,
        env=own | dict(environment),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    left = [path.relative_to(place).as_posix() for place in (home, temporary) for path in sorted(place.rglob("*"))]
    ours = [folder, temporary, Path(sys.prefix), Path(sys.base_prefix)]
    foreign = [file for file in ran(notes).get(locked["cmd"].split()[2], []) if not under(file, ours)]
    return Rerun(ended.returncode, ended.stderr, before, snapshot(folder), left, foreign)


@cache
def network_cut() -> tuple[str, ...]:
    """Return the beginning of a command line that cuts the network off, or nothing where that is not allowed."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode:
        return ()
    return (unshare, "-rn", "--")


def ran(notes: Path) -> dict[str, list[str]]:
    """Return the files of code that each program ran, by the name of its main module."""
    found: dict[str, list[str]] = {}
    if (notes / "ran.txt").exists():
        for line in (notes / "ran.txt").read_text(encoding="utf-8").splitlines():
            stage, file = line.split("\t")
            found.setdefault(stage, []).append(file)
    return found


def md5(files: Mapping[str, bytes], path: str) -> str:
    """Return the hash by which DVC knows a file or a folder; of a folder, that of a list of its files and their hashes.

    Bytecode is no part of a folder: .dvcignore says so.
    """
    if path in files:
        return hashlib.md5(files[path]).hexdigest()
    inside = sorted(name for name in files if within(name, [path]))
    entries = [{"md5": hashlib.md5(files[name]).hexdigest(), "relpath": name[len(path) + 1 :]} for name in inside]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def not_made(files: Iterable[str], path: str) -> bool:
    return not any(within(name, [path]) for name in files)


def within(path: str, places: Iterable[str]) -> bool:
    """Tell whether a path is one of these places, or in one that is a folder."""
    return any(path == place or path.startswith(place + "/") for place in places)


def under(file: str, places: Iterable[Path]) -> bool:
    return any(Path(file).resolve().is_relative_to(place.resolve()) for place in places)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file, where each link leads to, and the empty folders, their names with a / behind."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"a link to {os.readlink(path)}".encode()
        elif path.is_file():
            found[name] = path.read_bytes()
        elif not path.is_dir() or not any(path.iterdir()):
            found[f"{name}/"] = b""
    return found


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=NOT_COPIED, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def undeclared_files(project: Path, locked: Mapping[str, Any]) -> list[str]:
    """Return the files of a project that a stage has no business with, of whatever origin."""
    declared = [item["path"] for kind in ("deps", "outs") for item in locked[kind]]
    return [
        path
        for path in (found.relative_to(project).as_posix() for found in sorted(project.rglob("*")) if found.is_file())
        if not within(path, [*declared, *PARAM_FILES]) and not set(Path(path).parts) & set(NOT_OF_THE_TREE)
    ]


def undeclared_params(project: Path, locked: Mapping[str, Any]) -> list[Param]:
    """Return the params that a stage has no business with."""
    declared = {leaf for leaf, _ in leaves(locked.get("params", {}))}
    whole = {dep["path"] for dep in locked["deps"]}
    return [leaf for leaf in read_leaves(project) if leaf not in declared and leaf[0] not in whole]


def read_leaves(project: Path) -> dict[Param, object]:
    return dict(leaves({name: read_yaml(project / name) for name in PARAM_FILES}))


def leaves(node: object, path: Param = ()) -> Iterator[tuple[Param, object]]:
    """Yield every value that is no mapping, by its keys from the file's name on."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def tree(values: Mapping[Param, object]) -> dict[str, Any]:
    """Return the mapping that has these leaves."""
    root: dict[str, Any] = {}
    for path, value in values.items():
        node = root
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value
    return root


def read_yaml(path: Path) -> Any:
    """Return a YAML file's content as DVC reads it."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def scrubbed() -> dict[str, str]:
    """Return the environment without what steers DVC, git, Python or the choice of a mirror."""
    steering = ("DVC_", "GIT_", "PYTHON", "DATASET_MIRROR")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}
