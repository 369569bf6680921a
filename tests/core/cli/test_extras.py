"""Packages that only some users need."""

import re

import pytest

from core.cli import extras
from core.cli.errors import InputError
from tests.project import ROOT


@pytest.mark.parametrize("package", extras.EXTRAS)
def test_an_extra_is_that_of_pyproject(package):
    extra, requirement = extras.EXTRAS[package]
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert re.findall(rf"^{extra} = (.*\])", pyproject, re.MULTILINE) == [f'["{requirement}"]']


def test_a_package_that_is_installed_is_no_error_and_another_is(monkeypatch):
    extras.require("gradio", "it needs it")
    monkeypatch.setitem(extras.EXTRAS, "no_such_package", ("some", "no-such-package>=1"))

    with pytest.raises(InputError) as caught:
        extras.require("no_such_package", "the test needs it")

    fix = 'make setup, or python -m pip install "no-such-package>=1"'
    assert str(caught.value) == f"no_such_package: not installed, and the test needs it (the extra some); fix: {fix}"
