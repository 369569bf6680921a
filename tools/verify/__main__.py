"""Every byte that dvc.lock tells of, read again: in the workspace, in DVC's cache and in git.

    python -m tools.verify        or: make verify

DVC goes by a file's size, time and inode, and takes a read-only object of its cache for whole. This takes nobody's
word: it hashes every output and every object of one, and asks DVC only where its cache is. What git keeps has to be
what dvc.lock says twice: here, and in the commit that HEAD is. Whether code, params and data are still those that
dvc.lock records is another question, which `dvc status` answers.
"""

from pathlib import Path

from core.cli import command
from core.cli.errors import InputError, Problem, StageError


def main() -> None:
    """Hash every output that dvc.lock names, in the workspace and in DVC's cache, and what git's HEAD has of it."""
    # A quarter of a second of imports, in which an interrupt is to end the tool as at any other time.
    from tools.verify import findings, lock, places

    record, pipeline = (_text(name) for name in (lock.PATH, lock.PIPELINE))
    recorded = lock.parse(record, pipeline)
    disk = places.Disk()
    cache, head = places.Cache(disk), places.head(disk)
    here = [(out, places.workspace(out, disk, cache)) for out in recorded]
    folders = [files for _, files in [*here, *head.outs]]

    def listing(out: lock.Out) -> lock.Files | None:
        """Return what the files of an output should be; a folder's are known from wherever it is whole."""
        if not out.is_folder:
            return {"": out.md5}
        known = [cache.listing(out.md5), *folders]
        return next((files for files in known if files is not None and lock.digest(files) == out.md5), None)

    kept = {md5 for out in recorded if out.kept_by == "DVC" for md5 in findings.objects(out, listing(out))}
    problems = [
        *findings.unrecorded(lock.declared(pipeline), recorded),
        *(problem for out, files in here for problem in findings.of_output(out, files, listing(out), cache, kept)),
        *(problem for out, files in head.outs for problem in findings.of_head(out, files, listing(out))),
    ]
    if problems:
        raise StageError(*problems)
    print(f"{len(here)} outputs are as {lock.PATH} says: {disk.files:,} files, {disk.bytes:,} bytes read; {head.said}")


def _text(name: str) -> str:
    from tools.verify import lock

    try:
        return Path(name).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        fix = "dvc repro, in the folder that holds dvc.yaml"
        if name == lock.PIPELINE:  # a record is here, and it was made by one
            fix = f"git checkout HEAD -- {name}"
        raise InputError(Problem(name, "no such file here", fix=fix)) from error


if __name__ == "__main__":
    command.run(main)
