"""What the run was made of: the settings, the data, the packages and the licence of the data."""

from math import log

from core.config.params import Render
from core.files.history import by_replicate
from stages.render import duplicates
from stages.render.document import Code, Section, Table, count, decimal, listed
from stages.render.results import Results


def section(results: Results, render: Render) -> Section:
    card, versions = results.card, [" ".join(package) for package in results.training.versions.items()]
    return Section(
        "Training run",
        [
            f"{card.title}: {card.description}. Licence: {card.licence}.",
            f"Packages used in training: {listed(versions)}. The settings are those of params.yaml:",
            _settings(results),
            "This command prints the digests of the data:",
            Code("sha256sum data/normalized/t*/*.npy" + " data/normalized/t*/*/*.npy" * bool(results.validation)),
            _digests(results),
        ],
    )


def _as_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _settings(results: Results) -> Table:
    classes = len(results.classes)
    rows: list[list[str]] = [[Code(name), Code(_as_yaml(value))] for name, value in results.settings.items()]
    if results.settings["train.early_stopping_patience"]:
        epochs = [str(len(each) - 1) for each in by_replicate(results.history)]
        rows.append(["epochs of each replicate", ", ".join(epochs)])
    rows += [
        ["network parameters", count(results.training.parameters)],
        ["loss before training, nats", decimal(results.training.untrained_loss)],
        [f"loss of guessing, ln {classes}", decimal(log(classes))],
    ]
    return Table(["setting", "value"], rows)


def _digests(results: Results) -> Table:
    folders = {"train": "train", "test": "test", "validation": "train/validation"}
    rows = [
        [f"{folder}/{kind}.npy", count(len(array)), Code(duplicates.sha256(array))]
        for name, folder in folders.items()
        if name in results.splits
        for kind, array in results.splits[name]._asdict().items()
    ]
    return Table(["file", "images", "SHA-256"], rows)
