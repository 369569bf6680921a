"""What params.yaml may say: a section for each stage that has something to choose, and the data set they work on.

No value has a default here: params.yaml is the one home of values, this module that of their types and bounds.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from stages import schema, strict_yaml
from stages.schema import Name, Strict

PATH = Path("params.yaml")

Index = Annotated[int, Field(ge=0, le=1_000_000)]


class Dataset(Strict):
    name: Name


class Train(Strict):
    network: Literal["dense"]
    hidden_units: Annotated[int, Field(ge=1, le=8192)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    output: Literal["logits", "softmax"]
    optimizer: Literal["adam", "rmsprop", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    replicates: Annotated[int, Field(ge=1, le=1000)]


class Evaluate(Strict):
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    single_image: Index


class Render(Strict):
    training_image: Index
    examples: Annotated[list[Index], Field(min_length=1, max_length=24)]
    mistakes: Annotated[int, Field(ge=1, le=100)]
    dpi: Annotated[int, Field(ge=50, le=200)]


class Params(Strict):
    dataset: Dataset
    train: Train
    evaluate: Evaluate
    render: Render


Section = TypeVar("Section", bound=Strict)


def load(path: Path = PATH) -> Params:
    """Return all of params.yaml. Raises InputError with every problem in it."""
    return schema.check(strict_yaml.load(path), Params, path)


def section(model: type[Section], path: Path = PATH) -> Section:
    """Return one section of params.yaml, and nothing else of it: a stage sees only what dvc.yaml says it depends on.

    Raises InputError with every problem in that section.
    """
    name = model.__name__.lower()
    return schema.check(strict_yaml.load(path).get(name), model, path, under=name)
