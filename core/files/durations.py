"""training_seconds.json: how long training took on this machine, for each kind of network that it trained.

The file lies in the folder that DVC keeps for this checkout. It is no output, since no result depends on it.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import PositiveFloat, TypeAdapter

from core.config.params import Train
from core.files import atomic

PATH = Path(".dvc/tmp/training_seconds.json")
# The params that do not decide how long an epoch takes. Any other may, also one that Train gets later.
INDECISIVE = {
    "output",
    "learning_rate",
    "learning_rate_schedule",
    "epochs",
    "early_stopping_patience",
    "seed",
    "replicates",
}

MOST = 120  # of a unit; a longer duration is told in the next unit

_parse = TypeAdapter(dict[str, PositiveFloat]).validate_json


def write(settings: Train, images: int, image_shape: Sequence[int], epochs: int, seconds: float) -> None:
    """Record that a training took these seconds. An earlier record of the same kind of network is replaced.

    images: the number of training images. epochs: of all replicates together. Replicates that are trained at once
    share the seconds. Does nothing outside a DVC project, or if the file can't be written.
    """
    if PATH.parents[1].is_dir():
        with suppress(OSError):  # no reason to fail a training that has ended
            atomic.write_json(PATH, _read() | {_kind(settings, images, image_shape): seconds / epochs})


def estimate(settings: Train, images: int, image_shape: Sequence[int], project: Path = Path()) -> float | None:
    """Return in how many seconds this machine trains all replicates for all epochs. project: its folder.

    Returns None if it has never trained such a network. Early stopping may make it faster.
    """
    seconds = _read(project).get(_kind(settings, images, image_shape))
    return None if seconds is None else seconds * settings.epochs * settings.replicates


def worded(seconds: float) -> str:
    """Return a duration in words, rounded to seconds, minutes or hours: up to two minutes in seconds, and so on."""
    for unit, length in (("second", 1), ("minute", 60)):
        if (number := round(seconds / length)) <= MOST:
            return f"about {number} {unit}{'s' * (number != 1)}"
    return f"about {seconds / 3600:.0f} hours"


def _kind(settings: Train, images: int, image_shape: Sequence[int]) -> str:
    kind = settings.model_dump(exclude=INDECISIVE) | {"images": images, "image_shape": list(image_shape)}
    return json.dumps(kind, sort_keys=True)


def _read(project: Path = Path()) -> dict[str, float]:
    """Return the seconds of one epoch of one replicate, by the kind of network; nothing of a damaged file."""
    try:
        return _parse((project / PATH).read_bytes())
    except (OSError, ValueError):
        return {}
