"""The pipeline: a package for each stage (a verb), a module for each thing that stages share (a noun)."""

import sys
from importlib.util import find_spec

# DVC runs whichever `python` comes first on PATH: say so in one line, not in a traceback about a missing module.
if not all(map(find_spec, ("numpy", "pydantic", "tensorflow", "yaml"))):
    sys.exit(
        "error: python: this one lacks the project's packages "
        f"(expected the python of .venv, got {sys.executable}); fix: make setup, then . .venv/bin/activate"
    )
