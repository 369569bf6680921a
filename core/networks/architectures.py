"""The networks that `train.network` can name, a function each.

To add a network, write its function here, below the line `@network(...)`. Its name is the value of `train.network`. The
function takes the shape of an image, the number of classes, and the section `train` of params.yaml. It returns an
unfitted Keras model from images, float32 in [0, 1], to logits, float32 (n, classes). Images are (n, height, width) or,
in colour, (n, height, width, 3); `channel` prepares both for convolutions. Any layers of Keras are allowed but Lambda,
which Keras does not copy. Each layer needs a name of its own, and the last layer has the name `logits`.

Functions import Keras themselves: `validate` checks names here, and TensorFlow takes seconds to start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from core.cli.errors import InputError, Problem
from core.config.params import Train
from core.config.schema import nearest, one_of

if TYPE_CHECKING:
    from core.networks.runtime import keras

Shape: TypeAlias = tuple[int, ...]  # of an image: (height, width) or (height, width, 3)
Build: TypeAlias = Callable[[Shape, int, Train], "keras.Model"]


class Network(NamedTuple):
    """build: the function. xla: whether XLA makes training faster; on a processor, it slows convolutions down."""

    build: Build
    xla: bool


NETWORKS: dict[str, Network] = {}


def network(*, xla: bool) -> Callable[[Build], Build]:
    """Register the decorated function under its name."""

    def register(build: Build) -> Build:
        NETWORKS[build.__name__] = Network(build, xla)
        return build

    return register


def problems(name: str) -> list[Problem]:
    """Return what is wrong with this value of `train.network`."""
    if name in NETWORKS:
        return []
    what, fix = f"unknown choice{nearest(name, NETWORKS)}", "edit params.yaml, then dvc repro"
    return [Problem("params.yaml: train.network", what, expected=one_of(NETWORKS), got=f'"{name}"', fix=fix)]


def build(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return the unfitted network that the settings describe. Raises InputError if no network has the name there."""
    if found := problems(settings.network):
        raise InputError(*found)
    model = NETWORKS[settings.network].build(image_shape, classes, settings)
    if model.layers[-1].name != "logits":
        raise ValueError(f"the last layer of the network {settings.network} is not named logits")
    return model


@network(xla=True)
def dense(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return the network of TensorFlow's tutorials: flatten, hidden layers with ReLU and dropout, an output a class."""
    from core.networks.runtime import keras

    layers = [keras.Input(image_shape, name="images"), keras.layers.Flatten(name="flatten")]
    for number, units in enumerate(settings.hidden_units):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"hidden_{number}"))
        layers += dropout(settings, f"dropout_{number}")
    return keras.Sequential([*layers, keras.layers.Dense(classes, name="logits")], name="dense")


@network(xla=False)
def cnn_small(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a convolutional network of at most 48 filters: 82,746 parameters for grey images and ten classes."""
    return _pairs((16, 24, 48, 48), image_shape, classes, settings)


@network(xla=False)
def cnn(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a convolutional network of at most 96 filters: 282,754 parameters for grey images and ten classes."""
    return _pairs((24, 24, 96, 96), image_shape, classes, settings)


@network(xla=False)
def cnn_wide(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a convolutional network of at most 128 filters: 501,418 parameters for grey images and ten classes."""
    return _pairs((32, 32, 128, 128), image_shape, classes, settings)


def _pairs(widths: Sequence[int], image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a network of pairs of convolutions, each with batch normalization; a pair halves the size of the image.

    widths: the filters of the first layer, 2x2 pixels, then those of each pair, 3x3; `hidden_units` has no effect. The
    output layer sees the maximum of each channel. K. Jordan's airbench (2024) has these layers with more filters, and a
    first layer that is fixed.
    """
    from core.networks.runtime import keras

    kinds = keras.layers
    padding = "valid" if min(image_shape[:2]) > 15 else "same"  # which is slower, but takes the smallest images
    layers = [keras.Input(image_shape, name="images"), *channel(image_shape)]
    layers.append(kinds.Conv2D(widths[0], 2, padding=padding, activation="relu", name="convolution"))
    for level, filters in enumerate(widths[1:]):
        for name, halves in ((f"{level}_0", True), (f"{level}_1", False)):
            layers.append(kinds.Conv2D(filters, 3, padding="same", use_bias=False, name=f"convolution_{name}"))
            layers += [kinds.MaxPooling2D(padding=padding, name=f"pooling_{level}")] * halves
            layers.append(kinds.BatchNormalization(momentum=0.9, name=f"normalization_{name}"))
            layers.append(kinds.ReLU(name=f"activation_{name}"))
    layers += [kinds.GlobalMaxPooling2D(name="maxima"), *dropout(settings, "dropout")]
    return keras.Sequential([*layers, kinds.Dense(classes, name="logits")], name=settings.network)


def channel(image_shape: Shape) -> list[keras.layers.Layer]:
    """Return a layer that gives grey images a channel, or no layer if the images are in colour."""
    from core.networks.runtime import keras

    return [keras.layers.Reshape((*image_shape, 1), name="channel")] if len(image_shape) == 2 else []


def dropout(settings: Train, name: str) -> list[keras.layers.Layer]:
    """Return a layer of dropout, or no layer if `train.dropout` is 0."""
    from core.networks.runtime import keras

    return [keras.layers.Dropout(settings.dropout, name=name)] if settings.dropout else []
