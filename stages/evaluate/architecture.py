"""From the config.json of a `.keras` file to a network of our own making.

Keras' deserialization imports modules, calls functions and opens files that a config names; so none of that file is
handed to it. Only plain values of the layers listed here are taken from it, each of them bounded, and given to the
layers' constructors. Whether anything else stands in the file shows when the network made of them is saved again.
"""

from math import prod
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.config.schema import Name
from core.networks.models import with_probabilities
from core.networks.runtime import keras

Size = Annotated[int, Field(ge=1, le=8192)]
Share = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["linear", "relu"]
Padding = Literal["valid", "same"]
BYTES = 4  # of a weight, a float32
LARGEST = 2**18  # bytes of a config.json; our largest network has less than a tenth


class _Plain(BaseModel):
    """Strict in what it takes, blind to all else."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)


class Layer(_Plain):
    """A layer: its class is the one of that name in Keras, its fields are the arguments that this is built with."""

    name: Name

    def weights(self, channels: int) -> int:
        """Return how many numbers the layer holds, given the length of its input's last axis."""
        return 0


class InputLayer(Layer):
    pass


class Flatten(Layer):
    pass


class Reshape(Layer):
    target_shape: Annotated[list[Size], Field(min_length=1, max_length=3)]


class Dense(Layer):
    units: Size
    activation: Activation
    use_bias: bool

    def weights(self, channels: int) -> int:
        return (channels + self.use_bias) * self.units


class Conv2D(Layer):
    filters: Size
    kernel_size: Annotated[list[Size], Field(min_length=2, max_length=2)]
    padding: Padding
    activation: Activation
    use_bias: bool

    def weights(self, channels: int) -> int:
        return (channels * prod(self.kernel_size) + self.use_bias) * self.filters


class BatchNormalization(Layer):
    momentum: Share

    def weights(self, channels: int) -> int:
        return 4 * channels


class ReLU(Layer):
    pass


class MaxPooling2D(Layer):
    padding: Padding


class GlobalAveragePooling2D(Layer):
    pass


class Dropout(Layer):
    rate: Share


class Softmax(Layer):
    pass


LAYERS: dict[str, type[Layer]] = {layer.__name__: layer for layer in Layer.__subclasses__()}


class _Node(_Plain):
    class_name: str
    config: dict


class _Functional(_Plain):
    name: Name
    layers: Annotated[list[_Node], Field(min_length=3, max_length=64)]


class _Network(_Plain):
    class_name: Literal["Functional"]
    config: _Functional


def rebuild(config: bytes, image_shape: tuple[int, int], size: int) -> keras.Model:
    """Return the network that a config.json describes, for such images, with weights of no meaning.

    Raises ValueError where it is not one of ours, and, before any weight is made, where they take more than `size`
    bytes.
    """
    if len(config) > LARGEST:
        raise ValueError(f"{len(config)} bytes")
    described = _Network.model_validate_json(config).config
    first, *between, _ = map(_layer, described.layers)
    layers = [getattr(keras.layers, type(layer).__name__)(**dict(layer)) for layer in between]
    shape, weights = (None, *image_shape), 0
    for layer, built in zip(between, layers, strict=True):
        weights += layer.weights(shape[-1])
        shape = built.compute_output_shape(shape)
    if weights * BYTES > size:
        raise ValueError(f"{weights} weights in {size} bytes")
    inputs = keras.Input(image_shape, name=first.name)
    return with_probabilities(keras.Sequential([inputs, *layers], name=described.name))


def _layer(node: _Node) -> Layer:
    if node.class_name not in LAYERS:
        raise ValueError(f"a layer {node.class_name}")
    return LAYERS[node.class_name].model_validate(node.config)
