"""Arguments that several tools take."""

from pathlib import Path

from core.cli.errors import InputError, Problem


def figure(text: str) -> Path:
    """Return the path that --figure names. Raises InputError unless it ends in .png."""
    path = Path(text)
    if path.suffix.lower() != ".png":
        fix = f"--figure {path.with_suffix('.png') if path.name else 'out.png'}"
        expected, got = "a name that ends in .png", str(path)
        raise InputError(Problem("--figure", "not the name of a PNG file", expected=expected, got=got, fix=fix))
    return path
