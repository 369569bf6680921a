"""What a command can fail with: a problem is one line, and an error is one or more problems with an exit code."""

from dataclasses import KW_ONLY, dataclass

# What to do about damaged data or models. Deleting them, or running their stage again, would not help where the object
# in DVC's cache is damaged: DVC does not hash it, and restores the same bytes.
MEND = "python -m tools.verify, which names the command that mends it; if it names none, dvc repro"


def printable(text: str) -> str:
    """Escape what is not printable, so that a message is one line and can't steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in the order in which it is printed: the file or param, what is wrong with it, what was
    expected and found (if that says more), and what to do.
    """

    subject: str
    what: str
    _: KW_ONLY
    expected: str = ""
    got: str = ""
    fix: str

    def __str__(self) -> str:
        comparison = f" (expected {self.expected}, got {self.got})" if self.expected else ""
        return printable(f"{self.subject}: {self.what}{comparison}; fix: {self.fix}")


class StageError(Exception):
    """A stage or a tool can't go on, for a reason that no class below names."""

    exit_code = 1

    def __init__(self, *problems: Problem):
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class InputError(StageError):
    """Bad params, bad datasets.yaml or bad arguments."""

    exit_code = 2


class NetworkError(StageError):
    """No address served what was asked for."""

    exit_code = 3


class DataError(StageError):
    """Damaged data or a damaged model."""

    exit_code = 4
