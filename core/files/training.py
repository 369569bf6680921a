"""training.json: what training records beside the networks."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt

from core.config.params import Train
from core.files import atomic, records

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Training(BaseModel):
    """networks: the SHA-256 of each file, replicate 0 first. classes: their names, in the order of the outputs.
    image_shape: height and width of the images, in pixels, and 3 if they are in colour. settings: the params of
    training. versions: of the packages that calculated. parameters: of one network. untrained_loss: mean over the
    replicates, in nats.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    networks: Annotated[list[Digest], Field(min_length=1)]
    classes: list[str]
    image_shape: Annotated[list[PositiveInt], Field(min_length=2, max_length=3)]
    settings: Train
    versions: dict[str, str]
    parameters: PositiveInt
    untrained_loss: FiniteFloat


def write(path: Path, training: Training) -> None:
    atomic.write_json(path, training.model_dump())


def read(path: Path) -> Training:
    """Return the record. Raises DataError if the file is damaged."""
    return records.read(path, Training.model_validate_json)


def versions(data: bytes) -> dict[str, str]:
    """Return the versions alone, which records of all ages have. Raises ValueError if they are not there."""
    return _Versions.model_validate_json(data).versions


class _Versions(BaseModel):
    versions: dict[str, str]
