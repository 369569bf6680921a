"""The networks that `train.network` names: one function each, from the shapes and the params to an unfitted model.

Each takes all that params.yaml says of networks, by keyword, and returns a model whose outputs are logits, float32
(n, classes). Layers have names of their own, so that a saved model does not depend on what was built before it. To add
a network, write its function and its line in NETWORKS here, and its name into `stages.params.Train.network`.
"""

from collections.abc import Callable

from stages.runtime import keras


def dense(image_shape: tuple[int, int], classes: int, *, hidden_units: int, dropout: float) -> keras.Model:
    """Return the tutorials' network: flatten, a hidden layer with ReLU, dropout if not 0, an output a class."""
    layers = [
        keras.Input(image_shape, name="images"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(hidden_units, activation="relu", name="hidden"),
        keras.layers.Dropout(dropout, name="dropout") if dropout else None,
        keras.layers.Dense(classes, name="logits"),
    ]
    return keras.Sequential([layer for layer in layers if layer is not None], name="dense")


NETWORKS: dict[str, Callable[..., keras.Model]] = {"dense": dense}
