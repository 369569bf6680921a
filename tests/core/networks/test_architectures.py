"""The networks that `train.network` can name."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.errors import InputError
from core.networks import architectures
from core.networks.runtime import keras
from tests.stages.train.plain import settings


@pytest.mark.parametrize(
    ("chosen", "image_shape", "parameters"),
    [
        (settings(hidden_units=[128], dropout=0.2), (28, 28), 101_770),  # as published: 784*128 + 128, then 128*10 + 10
        (settings(hidden_units=[128]), (28, 28, 3), 3 * 784 * 128 + 128 + 1290),
        (settings(network="cnn_small"), (28, 28), 320 + 18_496 + 16_010),  # 9*32 + 32, 9*32*64 + 64, 25*64*10 + 10
        (settings(network="cnn_small"), (28, 28, 3), 3 * 288 + 32 + 18_496 + 16_010),
    ],
)
def test_parameters_are_counted(chosen, image_shape, parameters):
    assert architectures.build(image_shape, 10, chosen).count_params() == parameters


@pytest.mark.parametrize("network", architectures.NETWORKS)
def test_a_network_takes_grey_images_and_colours_and_only_grey_ones_get_a_channel(network):
    grey, colour = (
        [layer.name for layer in architectures.build(shape, 3, settings(network=network)).layers]
        for shape in ((12, 11), (12, 11, 3))
    )

    assert colour == [name for name in grey if name != "channel"]
    assert grey[0] == ("flatten" if network == "dense" else "channel")


@pytest.mark.parametrize(
    ("network", "image_shape", "message"),
    [
        ("dens", (28, 28), 'unknown choice: did you mean dense? (expected dense, cnn_small or cnn, got "dens")'),
        ("cnn_small", (9, 30), "cnn_small needs larger images (expected 10 x 10 pixels at least, got 9 x 30)"),
        ("cnn_small", (30, 9), "cnn_small needs larger images (expected 10 x 10 pixels at least, got 30 x 9)"),
        ("cnn_small", (30, 9, 3), "cnn_small needs larger images (expected 10 x 10 pixels at least, got 30 x 9)"),
    ],
)
@pytest.mark.fault("images too small for the network of params.yaml")
def test_a_network_that_does_not_exist_or_does_not_fit_the_images_is_refused(network, image_shape, message):
    with pytest.raises(InputError) as caught:
        architectures.build(image_shape, 3, settings(network=network))

    assert str(caught.value).startswith(f"params.yaml: train.network: {message}; fix: ")
    assert architectures.problems("cnn_small", (10, 10)) == architectures.problems("cnn", (1, 1)) == []
    assert architectures.problems("cnn_small", (10, 10, 3)) == []
    assert architectures.build((10, 10), 1, settings(network="cnn_small")).output_shape == (None, 1)


def test_a_last_layer_of_another_name_is_refused_before_it_is_trained(monkeypatch):
    def net(images, classes, chosen):
        return keras.Sequential([keras.Input(images), keras.layers.Flatten(), keras.layers.Dense(classes, name="end")])

    monkeypatch.setitem(architectures.NETWORKS, "net", architectures.Network(net, xla=False, least_side=1))

    with pytest.raises(ValueError, match="the last layer of the network net is not named logits"):
        architectures.build((4, 4), 3, settings(network="net"))


def test_names_and_sizes_are_known_without_tensorflow():
    code = "import sys; sys.modules['tensorflow'] = None; from core.networks import architectures; "
    code += "print(len(architectures.problems('cnn_small', (9, 9))))"

    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True
    )

    assert ended.stdout == "1\n"
