"""How the report says numbers: everywhere the same, so that they can be compared."""

from collections.abc import Sequence

from stages.render.results import Results

# A table of more rows is not read: only those that matter most are shown.
MOST_ROWS = 25


def count(number: int) -> str:
    return f"{number:,}"


def decimal(number: float) -> str:
    return f"{number:.4f}"


def interval(low: float, high: float) -> str:
    return f"{decimal(low)} to {decimal(high)}"


def listed(items: Sequence[str]) -> str:
    """Return items as prose: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def of_replicate(results: Results) -> str:
    """Say which network's predictions are shown, where there are several networks."""
    replicates = len(results.probabilities)
    return f" Replicate 0 of {replicates}." if replicates > 1 else ""
