"""What the report says, section by section, in the order in which a reviewer asks: a module for each section.

A section goes from arrays and numbers to plain text, tables and figures not yet drawn.
"""

from core.cli.errors import InputError, Problem
from core.config.params import Render
from stages.render import examples, failures, run, saw, trust, verdict
from stages.render.document import Report, Section
from stages.render.results import Results

SECTIONS = (verdict, run, failures, trust, saw, examples)


def build(results: Results, render: Render) -> Report:
    """Return the report, its figures not yet drawn.

    Raises InputError where `render` asks for images that there are not.
    """
    _check_indices(results, render)
    licence = Section("Licence of the data", [f"{results.entry.title}: {results.entry.licence}."])
    return Report(
        title=f"{results.entry.title}: image classification",
        verdict=verdict.line(results),
        warning=verdict.warning(results),
        sections=[*(module.section(results, render) for module in SECTIONS), licence],
    )


def _check_indices(results: Results, render: Render) -> None:
    fix, train, test = "edit params.yaml, then dvc repro", len(results.train.labels), len(results.test.labels)
    asked = [
        ("training_image", render.training_image, train),
        *(("examples", index, test) for index in render.examples),
    ]
    problems = [
        Problem(f"params.yaml: render.{key}", "no such image", expected=f"0 to {count - 1}", got=str(index), fix=fix)
        for key, index, count in asked
        if index >= count
    ]
    if problems:
        raise InputError(*problems)
