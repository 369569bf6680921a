"""Results of few images, in memory and as files, and independent readers of the report."""

from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from markdown_it import MarkdownIt

from core.config import params
from core.config.params import Render
from core.files import arrays, atomic, class_names
from core.files import history as histories
from core.files import preparation as preparations
from core.files import training as trainings
from core.files.arrays import Split
from core.files.preparation import Preparation
from core.files.training import Training
from core.scores import ensemble, metrics, scores
from core.sources.datasets import Pictures
from stages.render import report
from stages.render.document import Report
from stages.render.html import html
from stages.render.markdown import markdown
from stages.render.results import Results, measured
from tests.conftest import ROOT, write_split

SETTINGS = {
    "dataset.name": "small",
    "train.network": "dense",
    "train.learning_rate": 0.001,
    "train.early_stopping_patience": 0,
    "train.label_smoothing": 0.0,
    "evaluate.mirrored": False,
    "evaluate.shift": 0,
}
ROWS = [  # of two replicates, the first of which stopped earlier
    [(0, 1.0986, 0.3), (1, 0.25, 0.9)],
    [(0, 1.125, 0.4), (1, 0.5, 0.7), (2, 0.375, 0.8)],
]
HISTORY = np.array(
    [(number, *row) for number, rows in enumerate(ROWS) for row in rows], [(name, float) for name in histories.COLUMNS]
)
BLANK = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x03\x20\x00\x00\x01\x5e"  # of 800 x 350 pixels


def _training(classes):
    return Training(
        versions={"keras": "3.2.1", "tensorflow": "2.1.0"},
        parameters=101770,
        untrained_loss=2.3189,
        networks=["0" * 64],
        classes=classes,
        image_shape=[3, 4],
        settings=params.load(ROOT / "params.yaml").train,
    )


@pytest.fixture(scope="session")
def learned():
    """A function that returns the labels of the training images, and the probabilities of the networks for them.

    They are the test images in reverse order, then the first two again; the networks are nearer to the truth.
    """

    def learned(probabilities, labels):
        order = [*reversed(range(len(labels))), *range(len(labels))][: len(labels) + 2]
        truth = np.eye(probabilities.shape[2])[labels]
        return labels[order], ((probabilities + truth) / 2)[:, order].astype(np.float32)

    return learned


@pytest.fixture
def results(learned):
    """A function that makes results of probabilities, float (replicates, n, classes), and labels, (n,).

    No image occurs twice. The training images are more than the test images and have other labels and better scores.
    The single image is the last one, and has other probabilities than among others.
    """

    def results(probabilities, labels, classes=None, **changes) -> Results:
        probabilities, labels = np.asarray(probabilities, np.float32), np.asarray(labels, np.uint8)
        classes = classes or [f"class-{index}" for index in range(probabilities.shape[2])]
        trained, given = learned(probabilities, labels)
        images = np.linspace(0, 1, (len(trained) + len(labels)) * 12, dtype=np.float32).reshape(-1, 3, 4)
        card = Pictures(title="Small set", description="few pictures", licence="free", format="pictures")
        on_train = scores.summary(scores.tally([given], trained, len(classes)), "train")
        made = Results(
            settings=SETTINGS,
            card=card,
            classes=classes,
            preparation=Preparation(images=len(images), done={}),
            train=Split(images[: len(trained)], trained),
            validation=None,
            test=Split(images[len(trained) :], labels),
            negative=True,
            probabilities=probabilities,
            together=ensemble.average(probabilities),
            single=(len(labels) - 1, ensemble.average(0.9 * probabilities[:, -1] + np.float32(0.1 / len(classes)))),
            history=HISTORY,
            training=_training(classes),
            ensemble=ensemble.of(scores.tally([ensemble.average(probabilities)[None]], labels, len(classes))),
            metrics=measured(probabilities, labels, classes, metrics.Scores(**on_train)),
        )
        return made._replace(**changes)

    return results


@pytest.fixture
def some(results):
    """A function that makes results of networks that are more often right than wrong."""

    def some(classes=3, replicates=2, images=60, names=None, **changes) -> Results:
        random = np.random.default_rng(0)
        labels = np.arange(images) % classes
        logits = random.normal(size=(replicates, images, classes)) + 2 * np.eye(classes)[labels]
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        return results(probabilities, labels, names, **changes)

    return some


@pytest.fixture
def built():
    """A function that builds the report of results; `changes` are those of the section `render` of params.yaml."""

    def built(results, **changes) -> Report:
        render = Render(**{"training_image": 0, "examples": [0], "mistakes": 15, "dpi": 50} | changes)
        return report.build(results, render)

    return built


@pytest.fixture
def section(built):
    """A function that returns the blocks of a section of the report."""
    return lambda results, title: next(each.blocks for each in built(results).sections if each.title == title)


@pytest.fixture(scope="session")
def as_html():
    """A function that writes a report as HTML, by default with blank figures."""
    return lambda report, figures=None: html(report, figures or {each.file: BLANK for each in report.illustrations})


class Page(NamedTuple):
    """A report as a reader sees it: under each heading its tables, rows of cells, and its paragraphs."""

    tables: dict[str, list[list[list[str]]]]
    texts: dict[str, list[str]]


@pytest.fixture
def read():
    """A function that reads Markdown by an independent parser."""

    def read(text: str) -> Page:
        page, heading = Page({}, {}), ""
        for before, token in pairwise(MarkdownIt("commonmark").enable("table").parse(text)):
            if token.type == "inline":
                shown = "".join(each.content for each in token.children if each.type in ("text", "code_inline"))
                if before.type == "heading_open":
                    heading = shown
                elif before.type in ("th_open", "td_open"):
                    page.tables[heading][-1][-1].append(shown)
                else:
                    page.texts.setdefault(heading, []).append(shown)
            elif token.type == "table_open":
                page.tables.setdefault(heading, []).append([])
            elif token.type == "tr_open":
                page.tables[heading][-1].append([])
        return page

    return read


class HtmlPage(HTMLParser):
    """The elements of a page by Python's own parser, each with its tag, its attributes and its text, and `page`, as a
    reader sees it.
    """

    VOID = ("meta", "img", "input")

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(text)
        assert not self.open, "each element is closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))
        if tag not in self.VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for index in self.open:
            self.elements[index][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.elements if name == tag]

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes, _ in self.elements if name in attributes]

    @property
    def page(self) -> Page:
        page, heading = Page({}, {}), ""
        for tag, _, parts in self.elements:
            text = "".join(parts)
            if tag in ("h1", "h2", "h3"):
                heading = text
            elif tag == "p":
                page.texts.setdefault(heading, []).append(text)
            elif tag == "table":
                page.tables.setdefault(heading, []).append([])
            elif tag == "tr":
                page.tables[heading][-1].append([])
            elif tag in ("th", "td"):
                page.tables[heading][-1][-1].append(text)
        return page


@pytest.fixture
def seen(read, as_html):
    """A function that returns a report as a reader sees it, in both formats."""
    return lambda report: [read(markdown(report, "figures")), HtmlPage(as_html(report)).page]


@pytest.fixture(scope="session")
def write_inputs():
    """A function that writes all inputs of render; the networks are always right on the training images."""

    def write_inputs(folder: Path, classes: list[str], train: Split, test: Split, probabilities: np.ndarray) -> None:
        data, reports, replicates = folder / "data", folder / "reports", len(probabilities)
        write_split(data / "normalized/train", train)
        write_split(data / "normalized/test", test)
        arrays.write(data / "predictions/probabilities.npy", probabilities)
        alone = 0.9 * probabilities[:, 1] + np.float32(0.1 / len(classes))
        arrays.write(data / "predictions/single_image.npy", alone.astype(np.float32))
        class_names.write(data / "normalized/classes.json", classes)
        preparations.write(
            data / "raw/preparation.json", Preparation(images=len(train.labels) + len(test.labels), done={})
        )
        rows = [[dict(zip(histories.COLUMNS[1:], row, strict=True)) for row in each] for each in ROWS]
        histories.write(reports / "history.csv", rows)
        trainings.write(data / "training.json", _training(classes))
        known = np.repeat(np.eye(len(classes), dtype=np.float32)[train.labels][None], replicates, axis=0)
        of_splits = [
            scores.tally([of_split], split.labels, len(classes))
            for of_split, split in ((known, train), (probabilities, test))
        ]
        together = scores.tally([ensemble.average(probabilities)[None]], test.labels, len(classes))
        ensemble.write(data / "ensemble.json", ensemble.of(together))
        metrics.write(reports / "metrics.json", metrics.of(*of_splits, ensemble.of(together)))
        settings = params.load(ROOT / "params.yaml").model_dump()
        settings["dataset"]["name"] = "tiny"
        settings["render"] = {"training_image": 3, "examples": [0, 2], "mistakes": 2, "dpi": 50}
        atomic.write_json(folder / "params.yaml", settings)
        card = {"title": "Kleidungsstücke", "description": "few pictures", "licence": "free", "format": "pictures"}
        atomic.write_json(folder / "datasets/tiny.yaml", card)

    return write_inputs
