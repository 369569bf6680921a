"""Train, find, print a table, and write the CSV file and the page."""

from pathlib import Path

from tqdm import tqdm

from core.cli.errors import printable
from core.config.params import Train
from core.files import atomic
from core.networks import runtime
from core.scores.tables import inert
from stages.train.progress import Row
from tools import blocks
from tools.audit import cross_validation, findings, page
from tools.audit.findings import Finding
from tools.audit.reading import Pictures

COLUMNS = ("finding", "image", "label", "suggested", "score", "twin")
PRINTED = 20


def run(name: str, pictures: Pictures, settings: Train, folder: Path) -> None:
    """Audit the images of a data set. Raises DataError, or InputError if the settings do not suit the images."""
    runtime.share_operations(settings.threads)
    settings = cross_validation.settings_for(len(pictures.splits["train"].labels), settings)
    total = cross_validation.FOLDS * settings.epochs
    trained = f"{cross_validation.FOLDS} networks ({settings.network}, {settings.epochs} epochs)"
    print(f"Training {trained} of {name}", flush=True)
    with tqdm(desc="training", total=total, unit=" epochs", leave=False, disable=None) as bar:

        def show(_: int, row: Row) -> None:
            bar.update(row["epoch"] > 0)

        predicted = cross_validation.predict(pictures.splits, pictures.classes, settings, show)
    found = findings.found(pictures.splits, predicted)
    right = {
        split: float((each.probabilities.argmax(axis=1) == pictures.splits[split].labels).mean())
        for split, each in predicted.items()
    }
    summary = page.summary(pictures, found, trained, right)
    table, html = folder / f"{name}.csv", folder / f"{name}.html"
    atomic.write_csv(table, COLUMNS, [[inert(printable(text)) for text in _row(each, pictures)] for each in found])
    atomic.write_text(html, page.page(name, pictures, found, summary))
    shown = [_row(each, pictures)[1:5] for each in found if each.kind == findings.LABEL][:PRINTED]
    parts: list[blocks.Block] = [blocks.Lines(summary)]
    parts += [blocks.Table(COLUMNS[1:5], shown)] if shown else []
    parts += [blocks.Lines([f"All findings: {table} and {html}"])]
    print(blocks.text(blocks.Report(parts, {})), end="")


def _row(finding: Finding, pictures: Pictures) -> list[str]:
    names = [pictures.classes[label] for label in (finding.label, finding.suggested)]
    twin = pictures.name("train", finding.twin) if finding.twin >= 0 else ""
    return [finding.kind, pictures.name(finding.split, finding.row), *names, f"{finding.score:.4g}", twin]
