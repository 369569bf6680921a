"""The packages that only some users need: the extras of pyproject.toml."""

from importlib.util import find_spec

from core.cli.errors import InputError, Problem

EXTRAS = {  # by package: the extra, and its requirement
    "cleanlab": ("audit", "cleanlab>=2.7"),
    "gradio": ("serve", "gradio>=6.12"),
    "pyarrow": ("parquet", "pyarrow>=21"),
    "tf2onnx": ("onnx", "tf2onnx>=1.17"),
}


def require(package: str, need: str) -> None:
    """Raise InputError unless a package is installed. need: who needs it, such as "the page needs it"."""
    if find_spec(package) is None:
        extra, requirement = EXTRAS[package]
        fix = f'make setup, or python -m pip install "{requirement}"'
        raise InputError(Problem(package, f"not installed, and {need} (the extra {extra})", fix=fix))
