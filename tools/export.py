"""Export the trained networks for other programs: python -m tools.export --to tflite

The exported network is the ensemble: from `images`, float32 (n, height, width) or (n, height, width, 3) in [0, 1], to
`probabilities`, float32 (n, classes), the mean over the networks. classes.json beside it has the class names.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import command, extras
from core.cli.command import Parser
from core.files import atomic, class_names

if TYPE_CHECKING:
    from core.networks.runtime import keras
    from tools.predict.classify import Ensemble

OUTPUT = Path("build/export")
FORMATS = {  # what is written, and the name of the format in Keras
    "savedmodel": ("savedmodel", "tf_saved_model"),
    "onnx": ("model.onnx", "onnx"),
    "tflite": ("model.tflite", "litert"),
}


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument("--to", choices=list(FORMATS), required=True, help="the format")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FOLDER", help="default: %(default)s")


def main(to: str, output: Path) -> None:
    """Export the ensemble of the trained networks for other programs."""
    if to == "onnx":
        extras.require("tf2onnx", "--to onnx needs it")
    from tools.predict import classify  # TensorFlow takes seconds to start

    ensemble = classify.load()
    path = write(mean(ensemble), to, output)
    class_names.write(output / "classes.json", ensemble.classes)
    images, networks = ", ".join(map(str, ("n", *ensemble.shape))), len(ensemble.networks)
    which = "1 network" if networks == 1 else f"the mean of {networks} networks"
    print(f"{path}: {which}, from images ({images}) in [0, 1] to probabilities")
    print(f"{output / 'classes.json'}: the class names, in their order")


def mean(ensemble: Ensemble) -> keras.Model:
    """Return one network whose output, `probabilities`, is the mean over the networks."""
    from core.networks.runtime import keras

    images = keras.Input(ensemble.shape, name="images")
    # Networks of one function have equal names, and the names of the parts of a network differ.
    parts = [keras.Model(each.inputs, each.outputs[1], name=f"network_{i}") for i, each in enumerate(ensemble.networks)]
    outputs = keras.layers.Average(name="probabilities")([part(images) for part in parts])
    return keras.Model(images, {"probabilities": outputs}, name="ensemble")


def write(network: keras.Model, to: str, folder: Path) -> Path:
    """Write a network in a format, and return the path of the file or folder."""
    name, of_keras = FORMATS[to]
    with atomic.beside(folder / name) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, about numpy
        network.export(str(scratch / name), format=of_keras, input_signature=network.inputs, verbose=False)
        if to == "savedmodel":
            shutil.rmtree(folder / name, ignore_errors=True)
        (scratch / name).replace(folder / name)
    return folder / name


if __name__ == "__main__":
    command.run(main, declare)
