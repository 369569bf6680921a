"""A comparison as one page for a browser, with pictures of what changed: a document of `stages.render`.

The page holds all that it shows. Limits on images, classes and rows keep it below 3 MB; the text says if a limit
applies.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from math import ceil, isqrt
from typing import Any

import numpy as np

from core.files import history
from core.scores import calibration, scores
from stages.render import explorer, style
from stages.render.document import MOST_ROWS, Block, Explorer, Illustration, Report, Section, Table, line
from stages.render.html import html
from tools import blocks
from tools.compare import formats, pictures
from tools.compare.comparison import Comparison
from tools.compare.differences import Differences, Pair
from tools.compare.evidence import Evidence
from tools.compare.pictures import Measure

DPI = 100
MOST_IMAGES = 1_000
MOST_BYTES = 400_000  # of their picture; with the contact sheet, even noise in colour makes a page below 3 MB
BARS = 3  # of a side of an image, beside the bar of its true class
READ = (
    "Better: the scores speak for new. Worse: they speak against new. No evidence: the scores do not tell the sides "
    "apart. Then decide by cost or simplicity, or train more replicates. A score of one network says how good a recipe "
    "is. The score of the ensemble says what tools.predict gives its users."
)


def page(compared: Comparison, differences: Differences, evidence: Evidence) -> str:
    """Return the page as HTML. Equal inputs give equal text."""
    report = document(compared, differences, evidence)
    return html(report, {each.file: style.png(each.draw, DPI, each.title, each.note) for each in report.illustrations})


def document(compared: Comparison, differences: Differences, evidence: Evidence) -> Report:
    """Return the page as a document, in the order in which a reviewer decides; its figures are not drawn yet."""
    lines = formats.headlines(compared)
    lead = 1 if compared.identical else 2
    sides = ". ".join(formats.sides(compared, differences.sides))
    sections = [
        Section("What differs", [sides, *_blocks(formats.differing(differences))]),
        Section("Scores", [" ".join(lines[lead:]), *_blocks(formats.tables(compared)[:1])]),
    ]
    overview = []
    if not compared.identical:
        overview = [_scores(compared, evidence), _recalls(compared, evidence)]
        sections += [
            Section("Images that changed", _images(compared, evidence)),
            Section("Classes", _classes(compared, evidence)),
            Section("Training", [_curves(evidence.histories)]),
            Section("Calibration", [_reliability(evidence)]),
        ]
    reading = Section("How to read this page", [READ, formats.meaning(compared)])
    return Report(
        title=f"{differences.sides.new} against {differences.sides.base}",
        verdict=" ".join(lines[:lead]),
        warning=" ".join(compared.notes),
        sections=[*sections, reading],
        overview=overview,
    )


def _scores(compared: Comparison, evidence: Evidence) -> Illustration:
    right, losses = (
        Pair(*([float(of_image(each, evidence.labels).mean()) for each in side] for side in evidence.probabilities))
        for of_image in (scores.right, scores.losses)
    )
    measures = {
        "accuracy": [Measure("one network", compared.accuracy, right)],
        "loss": [Measure("one network", compared.loss, losses)],
    }
    for name, score in ({} if compared.covers == "networks" else compared.ensemble).items():
        measures[name].append(Measure("ensemble", score, Pair([score.change.base], [score.change.new])))
    _, _, change, _, verdict = formats.cells("accuracy", compared.accuracy)
    title = f"Accuracy of one network: {change} points, {verdict}"
    return Illustration(
        "changes.png",
        f"{title}; changes of accuracy and loss with their 95 % intervals",
        "Lines are 95 % intervals of the change: blue if new is better, red if it is worse, else black. Small dots are "
        "the networks.",
        partial(pictures.changes, measures["accuracy"], measures["loss"], compared.tolerance),
        title,
    )


def _blocks(found: Iterable[blocks.Block]) -> list[Block]:
    """Return blocks of a report of `tools` as blocks of a document."""
    shown: list[Block] = []
    for block in found:
        match block:
            case blocks.Lines(lines):
                shown += lines
            case blocks.Changes(title, rows):
                shown.append(Table([title, "base", "new"], [list(map(str, row)) for row in rows]))
            case blocks.Table(columns, rows):
                shown.append(Table(list(columns), [list(map(str, row)) for row in rows]))
    return shown


def _images(compared: Comparison, evidence: Evidence) -> list[Block]:
    """The images that changed: the clearest on a sheet, and more in the explorer."""
    changed = list(evidence.changed)
    if not changed:
        return ["No test image changed its side: each is right on most networks of both sides, or of neither side."]
    step = ceil(max(evidence.images.shape[1:3]) / explorer.MOST_SIDE)
    height, width = explorer.tile(evidence.images[0], step).shape[:2]
    kept = changed[:MOST_IMAGES]
    while len(sprite := _sprite(evidence, kept, step)) > MOST_BYTES:
        kept = kept[: len(kept) * MOST_BYTES // len(sprite)]
    fixed, broken = (len(evidence.of_kind(kind)) for kind in ("fixed", "broken"))
    text = (
        f"{fixed:,} images are fixed, {broken:,} are broken. Other seeds alone fix and break images, too: the verdict "
        "on accuracy says whether there is more than chance."
    )
    if len(kept) < len(changed):
        text += f" To keep the page small, the list has the {len(kept):,} clearest images."
    if step > 1:
        text += f" The images are shown at 1/{step} of their width and height."
    return [
        _sheet(evidence),
        Explorer(
            text=text,
            classes=evidence.classes,
            shown=[],
            counts=[],
            levels=[],
            data={
                "classes": [line(name) for name in evidence.classes],
                "replicates": {side: len(each) for side, each in evidence.probabilities._asdict().items()},
                "size": [width, height],
                "columns": _columns(kept),
                "tested": len(evidence.labels),
                "images": [_entry(evidence, index) for index in kept],
            },
            sprite=sprite,
        ),
    ]


def _columns(kept: Sequence[int]) -> int:
    return isqrt(len(kept) - 1) + 1


def _sprite(evidence: Evidence, kept: Sequence[int], step: int) -> bytes:
    tiles = np.stack([explorer.tile(evidence.test_images([index])[0], step) for index in kept])
    return explorer.sprite(tiles, _columns(kept))


def _entry(evidence: Evidence, index: int) -> dict[str, Any]:
    """Return the data of a test image: for each side, the classes by their probability, the predicted one first."""
    label = int(evidence.labels[index])
    entry: dict[str, Any] = {"index": index, "true": label, "change": evidence.changed[index]}
    for side, probabilities, right in zip(Pair._fields, evidence.ensembles, evidence.right, strict=True):
        order = np.argsort(-probabilities[index], kind="stable").tolist()
        classes = [c for place, c in enumerate(order) if place < BARS or c == label]
        shares = [round(float(probabilities[index, c]), 4) for c in classes]
        entry[side] = {"classes": classes, "probabilities": shares, "right": int(right[index])}
    return entry


def _sheet(evidence: Evidence) -> Illustration:
    shown = [min(len(indices), pictures.EACH) for indices in map(evidence.of_kind, ("fixed", "broken"))]
    return Illustration(
        "changed.png",
        f"The {shown[0]} clearest fixed images and the {shown[1]} clearest broken images",
        "The clearest images: most networks changed. Above each image: its index, and how many networks of base and of "
        "new are right. Below: its true class, and what each ensemble predicts, with the probability.",
        partial(pictures.sheet, evidence),
    )


def _by_change(compared: Comparison) -> list[str]:
    """Return the names of the classes, those with the largest changes of recall first."""
    return sorted(compared.recalls, key=lambda name: -abs(compared.recalls[name].change.difference))


def _recalls(compared: Comparison, evidence: Evidence) -> Illustration:
    recalls, names = compared.recalls, _by_change(compared)
    drawable = dict(zip(evidence.classes, style.drawable(evidence.classes), strict=True))
    shown = names[: pictures.MOST_CLASSES]
    caption = "Lines are 95 % intervals of the change of recall."
    if len(shown) < len(names):
        caption += f" These are the {len(shown)} of {len(names)} classes with the largest changes."
    _, _, change, _, verdict = formats.cells("recall", recalls[names[0]])
    title = f"Recall changes most: {drawable[names[0]]}, {change} points, {verdict}"
    drawn = partial(pictures.recalls, [(drawable[name], recalls[name]) for name in shown])
    return Illustration(
        "recalls.png", f"{title}; changes of all classes with their 95 % intervals", caption, drawn, title
    )


def _classes(compared: Comparison, evidence: Evidence) -> list[Block]:
    """The changes of recall, and of the confusion matrix."""
    rows = [[name, *formats.cells("recall", compared.recalls[name])] for name in _by_change(compared)]
    left_out = f"The table has the {MOST_ROWS} of {len(rows)} classes with the largest changes."
    return [
        *[left_out] * (len(rows) > MOST_ROWS),
        Table(["recall", *formats.COLUMNS], rows[:MOST_ROWS]),
        _confusion(evidence),
    ]


def _confusion(evidence: Evidence) -> Illustration:
    before, after = (_shares(side, evidence.labels) for side in evidence.probabilities)
    change = after - before
    mistakes = change - np.diag(change.diagonal())
    true, predicted = np.unravel_index(np.abs(mistakes).argmax(), change.shape)
    names = style.drawable(evidence.classes)
    title = f"{names[true]} predicted as {names[predicted]}: {100 * mistakes[true, predicted]:+.1f} points"
    return Illustration(
        "confusion.png",
        f"Change of the confusion matrix; the largest change of a mistake is {title}",
        "Each cell is the change of its share of the row, new minus base, the mean over the networks. The title names "
        "the largest change of a mistake. The colours have the same scale in every comparison.",
        partial(pictures.confusion, change, names),
        title,
    )


def _shares(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the confusion matrix as shares of its rows, the mean over the networks."""
    classes = probabilities.shape[2]
    counts = np.mean([scores.confusion(each.argmax(axis=1), labels, classes) for each in probabilities], axis=0)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _curves(histories: Pair) -> Illustration:
    ends = [float(np.mean([each["train_loss"][-1] for each in history.by_replicate(rows)])) for rows in histories]
    title = f"Training loss ends at {ends[0]:.4f} on base, {ends[1]:.4f} on new"
    return Illustration(
        "curves.png",
        f"{title}; loss and accuracy by epoch",
        "One line for each network. Training scores are means over the batches of an epoch.",
        partial(pictures.curves, histories),
        title,
    )


def _reliability(evidence: Evidence) -> Illustration:
    bins = Pair(*(calibration.means(calibration.sums(each, evidence.labels)) for each in evidence.ensembles))
    title = f"Calibration error: {bins.base.expected_error:.4f} on base, {bins.new.expected_error:.4f} on new"
    return Illustration(
        "reliability.png",
        f"{title}; accuracy by confidence of both ensembles",
        "The ensembles of both sides. An ensemble is overconfident where its line is below the dotted diagonal. The "
        "title has the expected calibration errors.",
        partial(pictures.reliability, bins),
        title,
    )
