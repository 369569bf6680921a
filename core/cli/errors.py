"""Define the errors of stages and tools: an error has an exit code and one or more problems, one line each."""

from dataclasses import KW_ONLY, dataclass

# The fix for damaged data or models. Deleting them or rerunning their stage does not help if the object in DVC's cache
# is damaged: DVC does not hash the object, and restores the same bytes.
MEND = "python -m tools.verify, then the command that it prints; if it prints none, dvc repro"


def printable(text: str) -> str:
    """Escape unprintable characters, so that a message is one line and cannot control the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True)
class Problem:
    """A problem, in the order in which it is printed: the file or param, what is wrong, what was expected and found (if
    that helps), and what to do.
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
    """A stage or a tool cannot continue, for a reason that no other class names."""

    exit_code = 1

    def __init__(self, *problems: Problem):
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class InputError(StageError):
    """Bad params, a bad card or bad arguments."""

    exit_code = 2


class NetworkError(StageError):
    """No address served the file."""

    exit_code = 3


class DataError(StageError):
    """Damaged data or a damaged model."""

    exit_code = 4
