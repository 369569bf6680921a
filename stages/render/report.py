"""The report, section by section, in the order in which a reviewer asks: one module for each section."""

from core.cli.errors import InputError, Problem
from core.config.params import Render
from stages.render.document import Report
from stages.render.results import Results
from stages.render.sections import (
    calibration,
    class_errors,
    examples,
    overfitting,
    training_data,
    training_run,
    verdict,
)

SECTIONS = (verdict, class_errors, calibration, overfitting, examples, training_data, training_run)


def build(results: Results, render: Render) -> Report:
    """Return the report; its figures are not drawn yet. Raises InputError if `render` names no image of the data."""
    _check_indices(results, render)
    first = [module.figure(results) for module in (verdict, overfitting, class_errors)]
    return Report(
        title=f"{results.card.title}: image classification",
        verdict=verdict.line(results),
        warning=verdict.warning(results),
        overview=[*first, *examples.surest(results, render)],
        sections=[module.section(results, render) for module in SECTIONS],
    )


def _check_indices(results: Results, render: Render) -> None:
    problems = [
        Problem(
            f"params.yaml: render.{key}",
            "no such image",
            expected=f"0 to {len(split.labels) - 1}",
            got=str(index),
            fix="edit params.yaml, then dvc repro",
        )
        for key, index, split in (
            ("training_image", render.training_image, results.train),
            ("examples", min(render.examples), results.test),  # the others are left out
        )
        if index >= len(split.labels)
    ]
    if problems:
        raise InputError(*problems)
