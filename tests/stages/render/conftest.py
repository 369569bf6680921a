"""What tests of the report share: results of few images, in memory and as the files of the stages before, and a reader
of Markdown that is not ours.
"""

import json
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from markdown_it import MarkdownIt

from core.config.datasets import Pictured
from core.config.params import Render
from core.files import arrays, atomic
from core.files.arrays import Split
from core.scores import scores
from stages.render.document import Table
from stages.render.results import Results, measured

SETTINGS = {
    "dataset.name": "small",
    "train.network": "dense",
    "train.learning_rate": 0.001,
    "train.early_stopping_patience": 0,
}
VERSIONS = {"keras": "3.2.1", "tensorflow": "2.1.0"}
HISTORY = np.array(  # of two replicates, the first of which stopped earlier
    [(0, 0, 1.0986, 0.3), (0, 1, 0.25, 0.9), (1, 0, 1.125, 0.4), (1, 1, 0.5, 0.7), (1, 2, 0.375, 0.8)],
    [(name, float) for name in ("replicate", "epoch", "train_loss", "train_accuracy")],
)


def _entry(classes, title, source):
    facts = {"title": title, "description": "few pictures", "licence": "free", "classes": classes}
    made = Pictured(**facts, image_shape=[3, 4], source="images", folder="pictures")
    return made.model_copy(update={"source": source})


@pytest.fixture(scope="session")
def learned():
    """A function that returns the labels of the training images, and what networks give for these images.

    They are like the test images, from the last to the first, and the first two again; the networks are nearer to the
    truth.
    """

    def learned(probabilities, labels):
        order = [*reversed(range(len(labels))), *range(len(labels))][: len(labels) + 2]
        truth = np.eye(probabilities.shape[2])[labels]
        return labels[order], ((probabilities + truth) / 2)[:, order].astype(np.float32)

    return learned


def _of_train(probabilities, labels):
    summary = scores.summary(scores.tally([probabilities], labels, probabilities.shape[2]), "train")
    return {name: summary[name] for name in ("accuracy", "loss")}


@pytest.fixture
def render():
    """A function that makes the section `render` of params.yaml."""

    def render(**changes) -> Render:
        settings = {"training_image": 0, "examples": [0], "mistakes": 15, "dpi": 50}
        return Render(**settings | changes)

    return render


@pytest.fixture
def results(learned):
    """A function that makes results of probabilities, float (replicates, n, classes), and labels, (n,).

    No image is there twice. Training images are more than test images, have other labels, and the networks do better on
    them. The image predicted alone is the last one, and is given other probabilities than among others. The scores
    are those of these probabilities.
    """

    def results(probabilities, labels, classes=None, *, title="Small set", source="generate", **changes) -> Results:
        probabilities, labels = np.asarray(probabilities, np.float32), np.asarray(labels, np.uint8)
        classes = classes or [f"class-{index}" for index in range(probabilities.shape[2])]
        trained, given = learned(probabilities, labels)
        images = np.linspace(0, 1, (len(trained) + len(labels)) * 12, dtype=np.float32).reshape(-1, 3, 4)
        made = Results(
            settings=SETTINGS,
            entry=_entry(classes, title, source),
            classes=classes,
            train=Split(images[: len(trained)], trained),
            test=Split(images[len(trained) :], labels),
            probabilities=probabilities,
            single=(len(labels) - 1, 0.9 * probabilities[:, -1] + np.float32(0.1 / len(classes))),
            history=HISTORY,
            training={"parameters": 101770, "untrained_loss": 2.3189, "versions": VERSIONS},
            metrics=measured(probabilities, labels, classes, _of_train(given, trained)),
        )
        return made._replace(**changes)

    return results


@pytest.fixture
def some(results):
    """A function that makes results of `images` images by networks that are right more often than not."""

    def some(classes=3, replicates=2, images=60, **changes) -> Results:
        random = np.random.default_rng(0)
        labels = np.arange(images) % classes
        logits = random.normal(size=(replicates, images, classes)) + 2 * np.eye(classes)[labels]
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        return results(probabilities, labels, **changes)

    return some


@pytest.fixture
def written_tables(render):
    """A function that returns the tables of a section, given what makes the section and the results."""

    def written_tables(section, results) -> list[Table]:
        return [block for block in section(results, render()).blocks if isinstance(block, Table)]

    return written_tables


class Page(NamedTuple):
    """Markdown as a reader sees it: for each heading its tables, rows of cells, and its paragraphs."""

    tokens: list
    tables: dict[str, list[list[list[str]]]]
    texts: dict[str, list[str]]


@pytest.fixture
def read():
    """A function that reads Markdown by somebody else's parser, raw HTML and tables included."""

    def read(text: str) -> Page:
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
        page, heading = Page(tokens, {}, {}), ""
        for before, token in pairwise(tokens):
            if token.type == "inline":
                # A space of no width, which escape puts where a host would make a link, is not seen.
                shown = "".join(child.content for child in token.children if child.type == "text").replace("\u200b", "")
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
    """The elements of a page, each a tag, its attributes and its text, and what a reader sees: `rows` are those of all
    tables, `sections` the tables, rows of cells, and the paragraphs under each heading.
    """

    VOID = ("meta", "img", "input")

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[list[str]] = []
        self.rows: list[list[list[str]]] = []
        self.sections: list[tuple[list[str], list[list[list[list[str]]]], list[list[str]]]] = []
        self.declarations: list[str] = []
        self.feed(text)
        assert not self.open, "each element is closed"

    def handle_decl(self, decl):
        self.declarations.append(decl)

    def handle_starttag(self, tag, attributes):
        text: list[str] = []
        self.elements.append((tag, dict(attributes), text))
        if tag not in self.VOID:
            self.open.append(text)
        if tag in ("h1", "h2", "h3"):
            self.sections.append((text, [], []))
        if tag == "table":
            self.sections[-1][1].append([])
        if tag == "tr":
            self.rows.append([])
            self.sections[-1][1][-1].append(self.rows[-1])
        if tag == "p" and self.sections:
            self.sections[-1][2].append(text)
        if tag in ("td", "th"):
            self.rows[-1].append(text)

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        for text in self.open:
            text.append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.elements if name == tag]

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes, _ in self.elements if name in attributes]


@pytest.fixture(scope="session")
def parse():
    """What reads HTML by Python's own parser."""
    return HtmlPage


@pytest.fixture
def read_html():
    """A function that reads HTML as `read` reads Markdown."""

    def read_html(text: str) -> Page:
        page = Page([], {}, {})
        for heading, tables, texts in HtmlPage(text).sections:
            title = "".join(heading)
            page.tables[title] = [[["".join(cell) for cell in row] for row in table] for table in tables]
            page.texts[title] = ["".join(paragraph) for paragraph in texts]
        return page

    return read_html


# The files that `render` reads, for `write_inputs`.
PARAMS_YAML = """
dataset: {name: tiny}
train:
  network: dense
  hidden_units: 128
  dropout: 0.0
  output: logits
  optimizer: adam
  learning_rate: 1e-3
  learning_rate_schedule: constant
  weight_decay: 0.0
  batch_size: 32
  epochs: 2
  validation_fraction: 0.0
  early_stopping_patience: 0
  augmentation_shift: 0
  augmentation_flip: false
  seed: 0
  replicates: 2
  threads: 1
evaluate: {batch_size: 1000, single_image: 1}
render: {training_image: 3, examples: [0, 2], mistakes: 2, dpi: 50}
"""
DATASETS_YAML = """
tiny:
  title: Kleidungsstücke
  description: few pictures
  licence: free
  classes: %s
  image_shape: [%d, %d]
  source: images
  folder: pictures
"""
HISTORY_CSV = """replicate,epoch,train_loss,train_accuracy
0,0,1.1,0.3
0,1,0.5,0.8
1,0,1.0,0.4
1,1,0.4,0.9
"""


@pytest.fixture(scope="session")
def write_inputs():
    """A function that writes to a folder all that render reads; the networks do better on the training images, and the
    image predicted alone is given other probabilities than among others.
    """

    def write_inputs(folder: Path, classes: list[str], train: Split, test: Split, probabilities: np.ndarray) -> None:
        data, reports = folder / "data", folder / "reports"
        arrays.write_split(data / "normalized/train", train)
        arrays.write_split(data / "normalized/test", test)
        arrays.write(data / "predictions/probabilities.npy", probabilities)
        alone = 0.9 * probabilities[:, 1] + np.float32(0.1 / len(classes))
        arrays.write(data / "predictions/single_image.npy", alone.astype(np.float32))
        atomic.write_json(data / "normalized/classes.json", classes)
        atomic.write_text(reports / "history.csv", HISTORY_CSV)
        training = {"parameters": 101770, "untrained_loss": 1.05, "versions": VERSIONS}
        atomic.write_json(data / "training.json", training)
        known = np.stack([np.eye(len(classes), dtype=np.float32)[train.labels]] * len(probabilities))
        tallies = (
            scores.tally([known], train.labels, len(classes)),
            scores.tally([probabilities], test.labels, len(classes)),
        )
        atomic.write_json(reports / "metrics.json", scores.metrics(*tallies))
        names = json.dumps(classes, ensure_ascii=False)
        atomic.write_text(folder / "params.yaml", PARAMS_YAML)
        atomic.write_text(folder / "datasets.yaml", DATASETS_YAML % (names, *test.images.shape[1:]))

    return write_inputs
