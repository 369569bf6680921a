"""The networks that `train.network` names: one function each, from the shapes and the params to an unfitted model.

Each takes all that params.yaml says of networks, by keyword, and returns a model whose outputs are logits, float32
(n, classes). Layers have names of their own, so that a saved model does not depend on what was built before it. To add
a network, write its function and its line in NETWORKS here, and its name into `core.config.params.Train.network`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.cli.errors import InputError
from core.config import params
from core.networks.runtime import keras


class Network(NamedTuple):
    """How to build a network, and whether XLA makes its training faster: not that of convolutions on a processor."""

    build: Callable[..., keras.Model]
    xla: bool


NETWORKS: dict[str, Network] = {}


def network(*, xla: bool) -> Callable[[Callable[..., keras.Model]], Callable[..., keras.Model]]:
    """Let `train.network` name the decorated function."""

    def register(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
        NETWORKS[build.__name__] = Network(build, xla)
        return build

    return register


@network(xla=True)
def dense(image_shape: tuple[int, int], classes: int, *, hidden_units: Sequence[int], dropout: float) -> keras.Model:
    """Return the tutorials' network: flatten, hidden layers with ReLU and dropout if not 0, an output a class."""
    layers = [keras.Input(image_shape, name="images"), keras.layers.Flatten(name="flatten")]
    for number, units in enumerate(hidden_units):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"hidden_{number}"))
        layers += _dropout(dropout, f"dropout_{number}")
    return keras.Sequential([*layers, keras.layers.Dense(classes, name="logits")], name="dense")


@network(xla=False)
def cnn_small(
    image_shape: tuple[int, int], classes: int, *, hidden_units: Sequence[int], dropout: float
) -> keras.Model:
    """Return two convolutions with pooling and an output a class: 34,826 parameters for 28x28 pixels and ten classes.

    `hidden_units` has no part in it. Raises InputError for images of which nothing would be left after the pooling.
    """
    if problems := params.unfit("cnn_small", image_shape):
        raise InputError(*problems)
    layers = [
        keras.Input(image_shape, name="images"),
        keras.layers.Reshape((*image_shape, 1), name="channel"),
        keras.layers.Conv2D(32, 3, activation="relu", name="convolution_0"),
        keras.layers.MaxPooling2D(name="pooling_0"),
        keras.layers.Conv2D(64, 3, activation="relu", name="convolution_1"),
        keras.layers.MaxPooling2D(name="pooling_1"),
        keras.layers.Flatten(name="flatten"),
        *_dropout(dropout, "dropout"),
        keras.layers.Dense(classes, name="logits"),
    ]
    return keras.Sequential(layers, name="cnn_small")


@network(xla=False)
def cnn(image_shape: tuple[int, int], classes: int, *, hidden_units: Sequence[int], dropout: float) -> keras.Model:
    """Return six convolutions with batch normalization in three widths, each half the size of the one before, then
    the mean of each channel and an output a class. `hidden_units` has no part in it.
    """
    layers = [keras.Input(image_shape, name="images"), keras.layers.Reshape((*image_shape, 1), name="channel")]
    for number, filters in enumerate((32, 32, 64, 64, 128, 128)):
        layers += [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"convolution_{number}"),
            keras.layers.BatchNormalization(momentum=0.9, name=f"normalization_{number}"),
            keras.layers.ReLU(name=f"activation_{number}"),
        ]
        if number % 2 == 0:
            layers.append(keras.layers.MaxPooling2D(padding="same", name=f"pooling_{number}"))
    layers += [keras.layers.GlobalAveragePooling2D(name="means"), *_dropout(dropout, "dropout")]
    return keras.Sequential([*layers, keras.layers.Dense(classes, name="logits")], name="cnn")


def _dropout(rate: float, name: str) -> list[keras.layers.Layer]:
    return [keras.layers.Dropout(rate, name=name)] if rate else []
