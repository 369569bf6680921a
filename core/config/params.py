"""Define what params.yaml may say: the data set, and a section for each stage that has params.

No param has a default here: params.yaml holds the values, this module their types and bounds.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field

from core.cli.errors import InputError, Problem
from core.config import schema, yaml
from core.config.schema import Name, Strict

PATH = Path("params.yaml")

Index = Annotated[int, Field(ge=0, le=1_000_000)]


class Dataset(Strict):
    name: Name


Units = Annotated[int, Field(ge=1, le=8192)]


def _as_list(value: object) -> object:
    return [value] if type(value) is int else value


class Train(Strict):
    network: str  # core.networks.architectures has the choices
    hidden_units: Annotated[list[Units], Field(min_length=1, max_length=8), BeforeValidator(_as_list)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    output: Literal["logits", "softmax"]
    optimizer: Literal["adam", "muon", "rmsprop", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    learning_rate_schedule: Literal["constant", "linear", "cosine", "one_cycle"]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]
    early_stopping_patience: Annotated[int, Field(ge=0, le=10_000)]
    augmentation_shift: Annotated[int, Field(ge=0, le=8)]
    augmentation_flip: bool
    precision: Literal["float32", "bfloat16"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    replicates: Annotated[int, Field(ge=1, le=1000)]
    threads: Annotated[int, Field(ge=1, le=64)]


class Evaluate(Strict):
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    single_image: Index
    mirrored: bool
    shift: Annotated[int, Field(ge=0, le=8)]


class Render(Strict):
    training_image: Index
    examples: Annotated[list[Index], Field(min_length=1, max_length=24)]
    mistakes: Annotated[int, Field(ge=1, le=100)]
    dpi: Annotated[int, Field(ge=50, le=150)]


class Params(Strict):
    dataset: Dataset
    train: Train
    evaluate: Evaluate
    render: Render


Section = TypeVar("Section", bound=Strict)


def load(path: Path = PATH) -> Params:
    """Return all of params.yaml. Raises InputError with every problem in it."""
    return schema.check(yaml.load(path), Params, path)


def section(model: type[Section], path: Path = PATH) -> Section:
    """Return one section of params.yaml. A stage reads no other section, since dvc.yaml declares only this one.

    Raises InputError with every problem in the section.
    """
    name = model.__name__.lower()
    return schema.check(yaml.load(path).get(name), model, path, under=name)


def require_one_source(settings: Train, official: bool) -> None:
    """Raise InputError if there are validation images of two kinds, or none for early stopping.

    official: whether the data set has validation images of its own.
    """
    if official and settings.validation_fraction:
        param, what = "params.yaml: train.validation_fraction", "the data set has validation images of its own"
        fix = "set train.validation_fraction to 0, then dvc repro"
        raise InputError(Problem(param, what, expected="0", got=str(settings.validation_fraction), fix=fix))
    if settings.early_stopping_patience and not (official or settings.validation_fraction):
        param, what = "params.yaml: train.early_stopping_patience", "needs validation images"
        fix = "set train.validation_fraction above 0, then dvc repro"
        raise InputError(Problem(param, what, fix=fix))
