"""A network is added in one function in one file, and goes through the whole pipeline and predict."""

import json
import sys

import pytest

# With a skip connection, a stride, batch normalization, an activation that no other network has, and both dropouts.
NETWORK = '''

@network(xla=False)
def residual(image_shape: Shape, classes: int, settings: Train) -> keras.Model:
    """Return a network of two convolutions with a skip connection over the second."""
    from core.networks.runtime import keras

    kinds = keras.layers
    images = keras.Input(image_shape, name="images")
    x = kinds.Reshape((*image_shape, 1), name="channel")(images)
    x = kinds.Conv2D(4, 3, strides=2, padding="same", activation="gelu", name="convolution_0")(x)
    skipped = x
    x = kinds.Conv2D(4, 3, padding="same", use_bias=False, name="convolution_1")(x)
    x = kinds.BatchNormalization(name="normalization")(x)
    x = kinds.Add(name="sum")([x, skipped])
    x = kinds.SpatialDropout2D(0.1, name="channels")(x)
    x = kinds.Flatten(name="flatten")(x)
    for layer in dropout(settings, "dropout"):
        x = layer(x)
    return keras.Model(images, kinds.Dense(classes, name="logits")(x), name="residual")
'''


@pytest.mark.slow
def test_a_new_network_is_one_function_in_one_file(pipeline):
    project = pipeline
    with open(project.folder / "core/networks/architectures.py", "a", encoding="utf-8") as file:
        file.write(NETWORK)
    project.edit("params.yaml", "network: dense", "network: residual")
    project.edit("params.yaml", "dropout: 0.0", "dropout: 0.2")
    project.edit("params.yaml", "epochs: 2", "epochs: 3")

    assert project.repro() == (["validate", "train", "evaluate", "render"], [])

    metrics = json.loads((project.folder / "reports/metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"] > 0.3  # guessing has 0.1
    assert "residual" in (project.folder / "reports/report.md").read_text(encoding="utf-8")
    printed = project.run(sys.executable, "-m", "tools.predict", "test:0", "test:1")
    assert printed.count("test:") >= 2
