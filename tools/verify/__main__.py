"""Read every byte that dvc.lock records: in the workspace, in DVC's cache and in git.

    python -m tools.verify        or: make verify

DVC trusts the size, time and inode of a file, and each read-only object of its cache. This tool hashes every output and
every object of it, and asks DVC only where its cache is. Outputs that git keeps are also checked in HEAD. `dvc status`
tells whether code, params and data are still those that dvc.lock records.
"""

from pathlib import Path

from core.cli import command
from core.cli.errors import InputError, Problem, StageError
from tools import lock, pipeline
from tools.verify import findings, places


def main() -> None:
    """Hash every output that dvc.lock records, in the workspace, in DVC's cache and in git's HEAD."""
    try:
        record = lock.read(Path(lock.PATH).read_bytes())
    except FileNotFoundError as error:
        fix = "dvc repro, in the folder that holds dvc.yaml"
        raise InputError(Problem(lock.PATH, "no such file here", fix=fix)) from error
    declared = pipeline.here()
    outs = lock.outs(record, declared)
    cache, head = places.Cache(), places.head()
    problems = [
        *findings.unrecorded(declared, outs),
        *findings.of_outputs([(out, places.workspace(out.path)) for out in outs], cache),
        *findings.of_head(head.outs),
    ]
    if problems:
        raise StageError(*problems)
    print(f"all {len(outs)} outputs are what {lock.PATH} records, to the byte; {head.said}")


if __name__ == "__main__":
    command.run(main)
