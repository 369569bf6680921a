"""The networks that `train.network` can name."""

import subprocess
import sys

import pytest

from core.cli.errors import InputError
from core.networks import architectures
from core.networks.runtime import keras
from tests.conftest import ROOT
from tests.stages.train.plain import settings


@pytest.mark.parametrize(
    ("chosen", "image_shape", "parameters"),
    [
        (settings(hidden_units=[128], dropout=0.2), (28, 28), 101_770),  # as published: 784*128 + 128, then 128*10 + 10
        (settings(hidden_units=[128]), (28, 28, 3), 3 * 784 * 128 + 128 + 1290),
        # First 4*16 + 16. Then 9*16*24, 9*24*24, 9*24*48, 9*48*48 thrice; four numbers for each of 240 filters.
        (settings(network="cnn_small"), (28, 28), 80 + 3456 + 5184 + 10_368 + 3 * 20_736 + 4 * 240 + 490),
        (settings(network="cnn_small"), (28, 28, 3), 208 + 3456 + 5184 + 10_368 + 3 * 20_736 + 4 * 240 + 490),
        # First 4*24 + 24. Then 9*24*24 twice, 9*24*96, 9*96*96 thrice; four numbers for each of 432 filters.
        (settings(network="cnn"), (28, 28), 120 + 2 * 5184 + 20_736 + 3 * 82_944 + 4 * 432 + 970),
        # First 12*32 + 32. Then 9*32*32 twice, 9*32*128, 9*128*128 thrice; four numbers for each of 576 filters.
        (settings(network="cnn_wide"), (32, 32, 3), 416 + 2 * 9_216 + 36_864 + 3 * 147_456 + 4 * 576 + 1290),
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
    assert ("channel" in grey) is (network != "dense")


def test_a_network_that_does_not_exist_is_refused():
    with pytest.raises(InputError) as caught:
        architectures.build((28, 28), 3, settings(network="dens"))

    assert str(caught.value) == (
        "params.yaml: train.network: unknown choice: did you mean dense? (expected dense, cnn_small, cnn or cnn_wide, "
        'got "dens"); fix: edit params.yaml, then dvc repro'
    )


@pytest.mark.parametrize("network", architectures.NETWORKS)
@pytest.mark.fault("images too small for the network of params.yaml")
def test_each_network_takes_an_image_of_one_pixel(network):
    assert architectures.build((1, 1), 2, settings(network=network)).output_shape == (None, 2)


def test_a_last_layer_of_another_name_is_refused_before_it_is_trained(monkeypatch):
    def net(images, classes, chosen):
        return keras.Sequential([keras.Input(images), keras.layers.Flatten(), keras.layers.Dense(classes, name="end")])

    monkeypatch.setitem(architectures.NETWORKS, "net", architectures.Network(net, xla=False))

    with pytest.raises(ValueError, match="the last layer of the network net is not named logits"):
        architectures.build((4, 4), 3, settings(network="net"))


def test_names_are_known_without_tensorflow():
    code = "import sys; sys.modules['tensorflow'] = None; from core.networks import architectures; "
    code += "print(len(architectures.problems('dens')))"

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)

    assert ended.stdout == "1\n"
