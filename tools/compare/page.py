"""A comparison as one page for a browser, with pictures of what changed: a document of `stages.render`.

Limits on images, classes and rows keep the page below 3 MB; the text says if a limit applies.
"""

from collections.abc import Callable, Iterable
from functools import partial
from math import ceil
from typing import Any

import numpy as np

from core.files import history
from core.scores import calibration, ensemble, scores
from stages.render import explorer, style
from stages.render.document import Block, Explorer, Illustration, Report, Section, Table, line
from stages.render.html import html
from stages.render.style import Figure
from tools import blocks
from tools.compare import figures, formats
from tools.compare.comparison import BROKEN, FIXED, Comparison, Score
from tools.compare.differences import Differences, Pair
from tools.compare.evidence import Evidence

DPI = 100
MOST_IMAGES = 1_000
MOST_BYTES = 400_000  # of their picture; with the contact sheet, even noise in colour makes a page below 3 MB
MOST_CLASSES = 20
EACH = 10  # images of a kind on the contact sheet
BARS = 3  # of a side of an image, beside the bar of its true class
SHEET = "Fixed (blue): wrong on base, right on new. Broken (red): right on base, wrong on new."


def page(compared: Comparison, differences: Differences, evidence: Evidence) -> str:
    """Return the page as HTML. Equal inputs give equal text."""
    report = document(compared, differences, evidence)
    return html(report, {each.file: style.png(each.draw, DPI, each.title) for each in report.illustrations})


def document(compared: Comparison, differences: Differences, evidence: Evidence) -> Report:
    """Return the page as a document, in the order in which a reviewer decides; its figures are not drawn yet."""
    sides = ". ".join(formats.sides(compared, differences.sides)) + "."
    shown = _largest_changes(compared.recalls)
    tables = _blocks(formats.tables(compared._replace(recalls=shown)))
    sections = [
        Section("What differs", [sides, *_blocks(formats.differing(differences))]),
        Section("Scores", [*formats.advice(compared), *tables[:1]]),
    ]
    overview = []
    if not compared.identical:
        overview = [_scores(compared, evidence), _recalls(shown, len(compared.recalls), evidence.classes)]
        sections += [
            Section("Images that changed", _images(compared, evidence)),
            Section("Classes", [*tables[1:], _confusion(evidence)]),
            Section("Training", [_curves(evidence)]),
            Section("Calibration", [_reliability(evidence)]),
            Section("How to read this page", [formats.meaning(compared)]),
        ]
    return Report(
        title=f"{differences.sides.new} against {differences.sides.base}",
        verdict="\n".join([*formats.verdicts(compared), formats.changed(differences)]),
        warning=" ".join(compared.notes),
        sections=[section for section in sections if section.blocks],
        overview=overview,
    )


def sheet(compared: Comparison, evidence: Evidence) -> Illustration:
    """Return the contact sheet of the images that changed most, EACH of a kind."""
    shown = [index for kind in (FIXED, BROKEN) for index in compared.of_kind(kind)[:EACH]]
    caption = (
        "The largest changes of the probability of the true class. Above each image: its index, and how many networks "
        "of base and of new are right. Below: its true class, and both predictions with their probability."
    )
    draw = partial(figures.sheet, {index: compared.changed[index] for index in shown}, evidence)
    alternative = f"The {len(shown)} fixed and broken images with the largest change"
    return Illustration("changed.png", alternative, caption, draw, SHEET)


def _scores(compared: Comparison, evidence: Evidence) -> Illustration:
    networks = {
        name: Pair(*([of_image(each, evidence.labels).mean() for each in side] for side in evidence.probabilities))
        for name, of_image in (("accuracy", scores.right), ("loss", scores.losses))
    }
    title = f"Accuracy of one network: {formats.change('accuracy', compared.accuracy)}, {compared.accuracy.verdict}"
    caption = "Lines are 95 % intervals: blue if new is better, red if worse, else black. 0 is the mean of base."
    draw = partial(figures.changes, compared, networks)
    return _titled("changes", title, "changes of accuracy and loss with their 95 % intervals", caption, draw)


def _titled(name: str, title: str, rest: str, caption: str, draw: Callable[[], Figure]) -> Illustration:
    """Return a figure whose alternative text is its title and the rest."""
    return Illustration(f"{name}.png", f"{title}; {rest}", caption, draw, title)


def _blocks(found: Iterable[blocks.Block]) -> list[Block]:
    """Return blocks of a report of `tools` as blocks of a document."""
    shown: list[Block] = []
    for block in found:
        match block:
            case blocks.Lines(lines):
                shown += lines
            case blocks.Changes(title, rows):
                shown.append(Table([title, *Pair._fields], [list(map(str, row)) for row in rows]))
            case blocks.Table(columns, rows):
                shown.append(Table(list(columns), [list(map(str, row)) for row in rows]))
    return shown


def _images(compared: Comparison, evidence: Evidence) -> list[Block]:
    """The images that changed: those with the largest change on a sheet, and more in the explorer."""
    kept = list(compared.changed)[:MOST_IMAGES]
    if not kept:
        return ["No image is fixed or broken."]
    step = ceil(max(evidence.images.shape[1:3]) / explorer.MOST_SIDE)
    tiles = np.stack([explorer.tile(evidence.test_images([index])[0], step) for index in kept])
    while len(sprite := explorer.sprite(tiles[: len(kept)], explorer.columns(len(kept)))) > MOST_BYTES:
        kept = kept[: len(kept) * MOST_BYTES // len(sprite)]
    fixed, broken = (len(compared.of_kind(kind)) for kind in (FIXED, BROKEN))
    text = (
        f"{fixed:,} images are fixed, {broken:,} are broken. Other seeds alone fix and break images, too: the verdicts "
        "say whether there is more than chance."
    )
    text += explorer.limits(len(compared.changed), len(kept), "those with the smallest change", step)
    data = {
        "classes": [line(name) for name in evidence.classes],
        "replicates": {side: len(each) for side, each in evidence.probabilities._asdict().items()},
        "size": [*tiles.shape[2:0:-1]],
        "columns": explorer.columns(len(kept)),
        "tested": len(evidence.labels),
        "images": [{"change": compared.changed[index], **_entry(evidence, index)} for index in kept],
    }
    return [sheet(compared, evidence), Explorer(text, evidence.classes, [], [], [], data, sprite)]


def _entry(evidence: Evidence, index: int) -> dict[str, Any]:
    """Return the data of a test image: for each side, the classes by their probability, the predicted one first."""
    label = int(evidence.labels[index])
    entry: dict[str, Any] = {"index": index, "true": label}
    for side, (probabilities, right) in evidence.answers(index).items():
        order = np.argsort(-probabilities, kind="stable").tolist()
        classes = [c for place, c in enumerate(order) if place < BARS or c == label]
        shares = [round(float(probabilities[c]), 4) for c in classes]
        entry[side] = {"classes": classes, "probabilities": shares, "right": right}
    return entry


def _largest_changes(recalls: dict[str, Score]) -> dict[str, Score]:
    """Return the recalls with the largest changes, the largest gain first."""
    largest = sorted(recalls, key=lambda name: -abs(recalls[name].change.difference))[:MOST_CLASSES]
    return {name: recalls[name] for name in sorted(largest, key=lambda name: -recalls[name].change.difference)}


def _recalls(shown: dict[str, Score], every: int, classes: list[str]) -> Illustration:
    drawable = dict(zip(classes, style.drawable(classes), strict=True))
    most = max(shown, key=lambda name: abs(shown[name].change.difference))
    change = formats.change("recall", shown[most])
    title = f"Recall changes most: {drawable[most]}, {change}, {shown[most].verdict}"
    caption = "Lines are 95 % intervals of the change of recall."
    if len(shown) < every:
        caption += f" These are the {len(shown)} of {every} classes with the largest changes."
    draw = partial(figures.recalls, [(drawable[name], score) for name, score in shown.items()])
    return _titled("recalls", title, "changes with their 95 % intervals", caption, draw)


def _confusion(evidence: Evidence) -> Illustration:
    before, after = (_shares(side, evidence.labels) for side in evidence.probabilities)
    change = after - before
    mistakes = change - np.diag(change.diagonal())
    true, predicted = np.unravel_index(np.abs(mistakes).argmax(), change.shape)
    names = style.drawable(evidence.classes)
    title = f"{names[true]} predicted as {names[predicted]}: {100 * mistakes[true, predicted]:+.1f} points"
    caption = (
        "Each number is a change, new minus base, of the mean over the networks, in points of the row: 1 point is 1 % "
        "of the images of the true class. No cell is tested: chance alone makes such changes. The colours have the "
        "same scale in every comparison."
    )
    rest = "the largest change of a mistake in the confusion matrix"
    return _titled("confusion", title, rest, caption, partial(figures.confusion, change, names))


def _shares(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the confusion matrix as shares of its rows, the mean over the networks."""
    classes = probabilities.shape[2]
    counts = np.mean([scores.confusion(each.argmax(axis=1), labels, classes) for each in probabilities], axis=0)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _curves(evidence: Evidence) -> Illustration:
    histories = evidence.histories
    ends = [float(np.mean([each["train_loss"][-1] for each in history.by_replicate(rows)])) for rows in histories]
    title = f"Training loss ends at {ends[0]:.4f} on base, {ends[1]:.4f} on new"
    caption = "One line for each network. Training scores are means over the batches of an epoch."
    draw = partial(figures.curves, histories, len(evidence.classes))
    return _titled("curves", title, "loss and accuracy by epoch", caption, draw)


def _reliability(evidence: Evidence) -> Illustration:
    together = map(ensemble.average, evidence.probabilities)
    bins = Pair(*(calibration.means(calibration.sums(each, evidence.labels)) for each in together))
    title = f"Calibration error: {bins.base.expected_error:.4f} on base, {bins.new.expected_error:.4f} on new"
    caption = (
        "The ensembles of both sides. An ensemble is overconfident where its line is below the dotted diagonal. The "
        "title has the expected calibration errors: lower is better."
    )
    return _titled("reliability", title, "accuracy by confidence", caption, partial(figures.reliability, bins))
