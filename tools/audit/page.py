"""The findings as one page for a browser, with the pictures: a document of `stages.render`."""

from collections.abc import Mapping, Sequence
from math import ceil

from core.files import arrays
from stages.render import explorer
from stages.render.document import Block, Card, Gallery, Report, Section
from stages.render.html import html
from tools.audit.findings import (
    LABEL,
    MOST_OUT_OF_DISTRIBUTION,
    MOST_PAIRS,
    NEAR_DUPLICATE,
    OUT_OF_DISTRIBUTION,
    Finding,
)
from tools.audit.reading import Pictures

MOST_CARDS = 1_000  # of a kind
MOST_PIXELS = 4_000_000  # of their pictures: in colour they take 3 MB
SECTIONS = {
    LABEL: "Labels that are likely wrong",
    NEAR_DUPLICATE: "Near-duplicates across the split",
    OUT_OF_DISTRIBUTION: "Out-of-distribution images",
}
TEXTS = {
    LABEL: "Label → suggested label, the most likely mistakes first. The number is the probability of the label, by "
    "networks that were not trained on the image.",
    NEAR_DUPLICATE: "Left: an image of the test split, or of the validation split. Right: the training image that it "
    "nearly equals. The number is their distance in the last hidden layer of a network. A network may memorize the "
    "training image, so near-duplicates raise test scores.",
    OUT_OF_DISTRIBUTION: "The number is the out-of-distribution score: an image above 1 is farther from the training "
    "images than 99 % of these are from each other. Such an image may be damaged, or may not belong to the data set.",
}


def summary(pictures: Pictures, found: Sequence[Finding], trained: str, right: Mapping[str, float]) -> list[str]:
    """Return the result in sentences. trained: the networks, in words. right: their accuracy on each split."""
    kinds = [each.kind for each in found]
    images = sum(len(split.labels) for split in pictures.splits.values())
    of_splits = ", ".join(f"{share:.1%} ({split})" for split, share in right.items())
    near, odd = kinds.count(NEAR_DUPLICATE), kinds.count(OUT_OF_DISTRIBUTION)
    return [
        f"Labels proposed for a check: {kinds.count(LABEL):,} of {images:,}, the most likely mistakes first.",
        f"Near-duplicates across the split: {near:,}{' or more' * (near >= MOST_PAIRS)}. "
        f"Out-of-distribution images: {odd:,}{' or more' * (odd == MOST_OUT_OF_DISTRIBUTION)}.",
        f"Cross-validated accuracy of {trained}: {of_splits}. The higher it is, the fewer findings are false.",
    ]


def page(name: str, pictures: Pictures, found: Sequence[Finding], verdict: Sequence[str]) -> str:
    """Return the page as HTML. Equal inputs give equal text."""
    sections = [
        Section(title, _blocks(pictures, [each for each in found if each.kind == kind], TEXTS[kind]))
        for kind, title in SECTIONS.items()
    ]
    return html(Report(f"Audit of {name}", "\n".join(verdict), "", sections), {})


def _blocks(pictures: Pictures, found: Sequence[Finding], text: str) -> list[Block]:
    if not found:
        return ["None was found."]
    height, width = pictures.splits["train"].images.shape[1:3]
    step = ceil(max(height, width) / explorer.MOST_SIDE)
    kept = found[: min(MOST_CARDS, max(1, MOST_PIXELS * step**2 // (height * width)))]
    left_out = f" The page shows the first {len(kept):,} of {len(found):,}; the CSV file has all." * (kept != found)
    return [text + left_out, Gallery(pictures.classes, [_card(pictures, each, step) for each in kept])]


def _card(pictures: Pictures, finding: Finding, step: int) -> Card:
    label, suggested = (pictures.classes[each] for each in (finding.label, finding.suggested))
    places = [(finding.split, finding.row), *([("train", finding.twin)] if finding.twin >= 0 else [])]
    changed = finding.kind == LABEL or (finding.kind == NEAR_DUPLICATE and label != suggested)
    return Card(
        [_picture(pictures, *place, step) for place in places],
        finding.label,
        finding.suggested,
        f"{label} → {suggested}" if changed else label,
        " ".join([f"{finding.score:.2g},", *(pictures.name(*place) for place in places)]),
    )


def _picture(pictures: Pictures, split: str, index: int, step: int) -> bytes:
    image = pictures.splits[split].images[index]
    arrays.release(pictures.splits[split].images)
    return explorer.sprite(explorer.tile(image, step)[None], 1)
