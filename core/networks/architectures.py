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
    """Return a residual network of 32, 32 and 48 filters: 85,034 parameters for 28x28 pixels and ten classes.

    `hidden_units` does not change this network.
    """
    return _residual((32, 32, 48), image_shape, classes, settings)


@network(xla=False)
def cnn(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a residual network of 32, 64 and 128 filters: 465,034 parameters for 28x28 pixels and ten classes.

    `hidden_units` does not change this network.
    """
    return _residual((32, 64, 128), image_shape, classes, settings)


def _residual(widths: Sequence[int], image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a residual network: convolutions that halve the image, and a residual block after each but the first.

    widths: the filters of each level. A block adds the result of two convolutions to its input. Each convolution has
    batch normalization. The last normalization of a block starts at 0, so the block starts as the identity (P. Goyal et
    al., "Accurate, Large Minibatch SGD", 2017). The output layer sees the maximum of each channel.
    """
    from core.networks.runtime import keras

    layers = keras.layers

    def convolution(inputs, filters: int, size: int, stride: int, name: str, **options):
        convolved = layers.Conv2D(filters, size, stride, padding="same", use_bias=False, name=f"convolution_{name}")
        normalization = layers.BatchNormalization(momentum=0.9, name=f"normalization_{name}", **options)
        return normalization(convolved(inputs))

    def activation(inputs, name: str):
        return layers.ReLU(name=f"activation_{name}")(inputs)

    images = keras.Input(image_shape, name="images")
    outputs = images
    for layer in channel(image_shape):
        outputs = layer(outputs)
    for level, filters in enumerate(widths):
        outputs = activation(convolution(outputs, filters, 3 if level else 4, 2, f"{level}"), f"{level}")
        if level:
            inner = activation(convolution(outputs, filters, 3, 1, f"{level}_0"), f"{level}_0")
            change = convolution(inner, filters, 3, 1, f"{level}_1", gamma_initializer="zeros")
            outputs = activation(layers.Add(name=f"sum_{level}")([outputs, change]), f"{level}_1")
    outputs = layers.GlobalMaxPooling2D(name="maxima")(outputs)
    for layer in dropout(settings, "dropout"):
        outputs = layer(outputs)
    return keras.Model(images, layers.Dense(classes, name="logits")(outputs), name=settings.network)


def channel(image_shape: Shape) -> list[keras.layers.Layer]:
    """Return a layer that gives grey images a channel, or no layer if the images are in colour."""
    from core.networks.runtime import keras

    return [keras.layers.Reshape((*image_shape, 1), name="channel")] if len(image_shape) == 2 else []


def dropout(settings: Train, name: str) -> list[keras.layers.Layer]:
    """Return a layer of dropout, or no layer if `train.dropout` is 0."""
    from core.networks.runtime import keras

    return [keras.layers.Dropout(settings.dropout, name=name)] if settings.dropout else []
