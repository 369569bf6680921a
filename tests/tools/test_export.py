"""The exported network in the format's own runtime. The code that runs it is that of docs/export.md."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from core.config import params
from core.files import arrays
from core.networks import architectures, models
from stages.evaluate import out_of_distribution
from tests.project import ROOT
from tools import export
from tools.predict import classify

CLASSES = ["shirt", "été", "bag"]
IMAGES, *RUNTIMES, PRINT = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text("utf-8"), re.DOTALL)
RUN = dict(zip(("tflite", "onnx", "savedmodel"), RUNTIMES, strict=True))


def networks(name, shape, random):
    """Yield two networks with weights that no layer starts with."""
    settings = params.load(ROOT / "params.yaml").train.model_copy(update={"network": name})
    for _ in range(2):
        network = models.with_probabilities(architectures.build(shape, len(CLASSES), settings))
        network.set_weights([weights + random.normal(0, 0.05, weights.shape) for weights in network.get_weights()])
        yield network


@pytest.mark.slow
@pytest.mark.parametrize("to", RUN)
@pytest.mark.parametrize("shape", [(16, 18), (18, 16, 3)], ids=["grey", "colour"])
@pytest.mark.parametrize("name", ["dense", "cnn_small"])
def test_the_exported_network_gives_the_probabilities_of_predict(name, shape, to, tmp_path, monkeypatch, capfd):
    random = np.random.RandomState(0)
    images = random.rand(20, *shape).astype(np.float32)
    made = list(networks(name, shape, random))
    reference = out_of_distribution.measure(made, images, batch_size=10)
    ensemble = classify.Ensemble([*map(out_of_distribution.with_features, made)], CLASSES, shape, reference)
    expected = classify.classify(ensemble, images).probabilities
    monkeypatch.setattr(classify, "load", lambda: ensemble)
    monkeypatch.chdir(tmp_path)
    arrays.write(Path("data/normalized/test/images.npy"), images)

    export.main(to, export.OUTPUT)
    printed, error = capfd.readouterr()
    ran: dict = {}
    exec(IMAGES + RUN[to] + PRINT, ran)

    assert ran["probabilities"].dtype == np.float32
    np.testing.assert_allclose(ran["probabilities"], expected, rtol=0, atol=1e-5)
    assert np.ptp(expected[:, 0]) > 0.001  # another network or another image would be seen
    label, probability = capfd.readouterr().out.split()
    assert label == CLASSES[expected[12].argmax()]
    assert float(probability) == pytest.approx(expected[12].max(), abs=0.5e-4 + 1e-5)  # rounded to four digits
    path, classes = printed.splitlines()
    assert f"the mean of 2 networks, from images (n, {', '.join(map(str, shape))}) in [0, 1]" in path
    assert error == ""
    assert sorted(map(str, export.OUTPUT.iterdir())) == sorted([path.split(":")[0], classes.split(":")[0]])


@pytest.mark.fault("a package of an extra that is not installed")
def test_onnx_without_its_converter_names_the_extra(run_here, assert_clean_failure, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.chdir(tmp_path)

    run = run_here(export.main, "--to", "onnx", declare=export.declare)

    line = "error: tf2onnx: not installed, and --to onnx needs it (the extra onnx); fix: make setup, or "
    assert_clean_failure(run, 2, line + 'python -m pip install "tf2onnx>=1.17"')
