"""What is wrong with an output, and the command that repairs it. The commands are run in the order of the findings."""

from collections.abc import Iterator, Sequence
from shlex import quote

from core.cli.errors import Problem
from tools import lock
from tools.lock import Files, Out
from tools.pipeline import Pipeline
from tools.verify.places import Cache, digest_of

DIFFERS = f"not what {lock.PATH} records"


def of_outputs(outs: Sequence[tuple[Out, Files]], cache: Cache) -> Iterator[Problem]:
    """Yield the problems of outputs, given with their files in the workspace, there and in DVC's cache.

    DVC's cache may have outputs that git keeps, too, and DVC restores outputs from there. So these objects are checked
    if they exist.
    """
    of_dvc = {md5 for out, _ in outs if out.cached for md5 in _objects(out, cache)}
    for out, files in outs:
        if not files and not cache.held(out.md5):
            fix = "dvc pull, or else dvc repro" if cache.has_remote and out.cached else "dvc repro"
            yield _problem(out.path, DIFFERS, out.md5, "", fix)
            continue
        yield from _in_cache(out, cache, of_dvc)
        yield from _in_workspace(out, files, cache)


def unrecorded(declared: Pipeline, recorded: Sequence[Out]) -> Iterator[Problem]:
    """Yield a problem for each output of dvc.yaml that dvc.lock does not record, as after an interrupted first run."""
    paths = {out.path for out in recorded}
    for output in declared.outputs:
        if output.path not in paths:
            yield Problem(output.path, f"not in {lock.PATH}", fix="dvc repro")


def of_head(committed: Sequence[tuple[Out, str]]) -> Iterator[Problem]:
    """Yield a problem for each output in HEAD, given with its MD5 there, that differs from HEAD's own dvc.lock."""
    for out, got in committed:
        if got != out.md5:
            # The paths again in `git commit`: it would commit whatever is staged, and the next output's command fail.
            paths = f"{lock.PATH} {quote(out.path)}"
            fix = f"dvc repro && git add {paths} && git commit -m 'Record the run' -- {paths}"
            yield _problem(f"HEAD: {out.path}", f"not what HEAD's {lock.PATH} records", out.md5, got, fix)


def _objects(out: Out, cache: Cache) -> dict[str, str]:
    """Return the path of each file of an output by the name of its object; a folder has an object for its list, too."""
    return {out.md5: out.path} | {md5: _named(out, name) for name, md5 in (cache.files(out) or {}).items()}


def _in_cache(out: Out, cache: Cache, of_dvc: set[str]) -> Iterator[Problem]:
    for md5, name in _objects(out, cache).items():
        held, path = cache.held(md5), cache.path(md5)
        if held == md5 or (not out.cached and (not held or md5 in of_dvc)):
            continue
        what = "damaged in DVC's cache" if held else "missing in DVC's cache"
        fix = _made_again(out, md5, cache) if out.cached else f"rm -f {quote(str(path))}"
        yield _problem(f"{name}: {path}", what, md5, held, fix)


def _in_workspace(out: Out, files: Files, cache: Cache) -> Iterator[Problem]:
    recorded = cache.files(out)
    if recorded is None:  # then only the digest of the whole folder is known
        files, recorded = {"": digest_of(files)}, {"": out.md5}
    # Unrecorded files come first. `dvc checkout` would delete them, too, but they may be somebody's.
    for name in sorted(files.keys() | recorded.keys(), key=lambda name: (name in recorded, name)):
        expected, got = recorded.get(name, ""), files.get(name, "")
        if expected != got:
            path = _named(out, name)
            fix = _restored(out, path, expected, cache) if expected else f"rm -rf {quote(path)}"
            yield _problem(path, DIFFERS, expected, got, fix)


def _restored(out: Out, path: str, md5: str, cache: Cache) -> str:
    """Return the command that restores a file.

    DVC may take the size and the time of a file for its content, so the file is deleted first. Without `--force`, DVC
    asks before it replaces another changed file of the folder, and fails if nobody can answer.
    """
    if not out.cached:
        return f"rm -rf {quote(path)} && dvc repro"
    if cache.held(md5) != md5:
        return _made_again(out, md5, cache)
    return f"rm -rf {quote(path)} && dvc checkout --force {quote(out.path)}"


def _made_again(out: Out, md5: str, cache: Cache) -> str:
    """Return the command that makes an output again. DVC would restore a damaged object, so it is deleted first."""
    delete = f"rm -f {quote(str(cache.path(md5)))} && " if cache.held(md5) else ""
    return f"{delete}dvc repro --single-item --force {quote(out.stage)}"


def _named(out: Out, name: str) -> str:
    return f"{out.path}/{name}" if name else out.path


def _problem(subject: str, what: str, expected: str, got: str, fix: str) -> Problem:
    shown = [f"MD5 {md5}" if md5 else "nothing" for md5 in (expected, got)]
    return Problem(subject, what, expected=shown[0], got=shown[1], fix=fix)
