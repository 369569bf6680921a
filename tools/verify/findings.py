"""What is wrong with an output, each thing with the command that mends it, to be run in the order of the findings."""

from collections.abc import Iterator, Sequence, Set
from shlex import quote

from core.cli.errors import Problem
from tools.verify import lock
from tools.verify.lock import Files, Out
from tools.verify.places import NOTHING, Cache

NOT_AS_RECORDED = f"not what {lock.PATH} says"


def of_output(out: Out, files: Files, listing: Files | None, cache: Cache, kept: Set[str]) -> Iterator[Problem]:
    """Yield the problems of an output in DVC's cache and in the workspace, where it has `files`.

    `listing` is what these should be, None where that is not known. `kept` are the objects of all outputs that DVC
    keeps. What git keeps is in the cache by the way, if at all; DVC may restore it from there, so that has to be right.
    """
    if not files and cache.held(out.md5) == NOTHING:
        nowhere = "nothing, here and in DVC's cache" if out.kept_by == "DVC" else NOTHING
        fix = "dvc pull, or else dvc repro" if cache.has_remote and out.kept_by == "DVC" else "dvc repro"
        yield Problem(out.path, NOT_AS_RECORDED, expected=f"MD5 {out.md5}", got=nowhere, fix=fix)
        return
    yield from _in_cache(out, listing, cache, kept)
    yield from _in_workspace(out, files, listing, cache)


def unrecorded(declared: Sequence[str], recorded: Sequence[Out]) -> Iterator[Problem]:
    """Yield a problem for each output of dvc.yaml that dvc.lock does not name: there is nothing to hold it against."""
    for path in declared:
        if path not in {out.path for out in recorded}:
            yield Problem(path, f"not in {lock.PATH}", expected="an MD5", got=NOTHING, fix="dvc repro")


def of_head(out: Out, files: Files, listing: Files | None) -> Iterator[Problem]:
    """Yield a problem for each file of the commit that is not what the commit's own dvc.lock says."""
    fix = f"dvc repro && git add {lock.PATH} {quote(out.path)} && git commit -m 'Record the run'"
    if listing is None:
        files, listing = {"": lock.digest(files)}, {"": out.md5}
    for name in sorted(files.keys() | listing.keys()):
        expected, got = listing.get(name, NOTHING), files.get(name, NOTHING)
        if got != expected:
            subject, what = f"HEAD: {out.named(name)}", f"not what HEAD's {lock.PATH} says"
            yield Problem(subject, what, expected=_shown(expected), got=_shown(got), fix=fix)


def objects(out: Out, listing: Files | None) -> dict[str, str]:
    """Return the names of an output's objects, and of which file of it each is."""
    members = {md5: name for name, md5 in (listing or {}).items()}
    return {out.md5: "", **members}


def _in_cache(out: Out, listing: Files | None, cache: Cache, kept: Set[str]) -> Iterator[Problem]:
    for md5, name in objects(out, listing).items():
        held, path = cache.held(md5), cache.path(md5)
        if held == md5 or (out.kept_by == "git" and (held == NOTHING or md5 in kept)):
            continue
        what = "missing in DVC's cache" if held == NOTHING else "damaged in DVC's cache"
        fix = _remade(out, md5, cache) if out.kept_by == "DVC" else f"rm -f {quote(str(path))}"
        yield Problem(f"{out.named(name)}: {path}", what, expected=f"MD5 {md5}", got=_shown(held), fix=fix)


def _in_workspace(out: Out, files: Files, listing: Files | None, cache: Cache) -> Iterator[Problem]:
    if listing is None:
        fix = _restored(out, "", out.md5, cache)
        yield Problem(out.path, NOT_AS_RECORDED, expected=f"MD5 {out.md5}", got=f"MD5 {lock.digest(files)}", fix=fix)
        return
    # First what is not listed: `dvc checkout` would delete it too, and nobody's file is to go by another one's command.
    for name in sorted(files.keys() | listing.keys(), key=lambda name: (name in listing, name)):
        expected, got = listing.get(name, NOTHING), files.get(name, NOTHING)
        if expected != got:
            fix = _restored(out, name, expected, cache) if name in listing else f"rm -rf {quote(out.named(name))}"
            yield Problem(out.named(name), NOT_AS_RECORDED, expected=_shown(expected), got=_shown(got), fix=fix)


def _remade(out: Out, md5: str, cache: Cache) -> str:
    """Return the command that makes an output anew; with a damaged object there, DVC would restore it from that."""
    remove = f"rm -f {quote(str(cache.path(md5)))} && " if cache.held(md5) != NOTHING else ""
    return f"{remove}dvc repro --single-item --force {quote(out.stage)}"


def _restored(out: Out, name: str, md5: str, cache: Cache) -> str:
    """Return the command that brings a file back.

    Without deleting it, DVC might believe its size and time. Without `--force` it would ask, or fail where nobody can
    answer, before it replaces another changed file of a folder.
    """
    if out.kept_by == "git":
        return f"rm -rf {quote(out.named(name))} && dvc repro"
    if cache.held(md5) != md5:
        return _remade(out, md5, cache)
    return f"rm -rf {quote(out.named(name))} && dvc checkout --force {quote(out.path)}"


def _shown(held: str) -> str:
    return f"MD5 {held}" if lock.MD5.fullmatch(held) else held
