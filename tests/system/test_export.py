"""Networks that DVC's pipeline trained, exported by the command line."""

import os
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter


@pytest.mark.slow
def test_the_export_has_the_probabilities_of_evaluate_and_repeats_its_bytes(pipeline):
    """The file for TFLite has the same bytes. docs/export.md says that other formats have not."""

    def files(to: str, folder: str) -> dict[str, bytes]:
        ended = pipeline.ended(sys.executable, "-m", "tools.export", "--to", to, "--output", folder)
        assert ended.returncode == 0 and ended.stderr == ""
        paths = [path for path in (pipeline.folder / folder).rglob("*") if path.is_file()]
        return {os.path.relpath(path, pipeline.folder / folder): path.read_bytes() for path in paths}

    assert files("tflite", "first") == files("tflite", "second")
    assert files("savedmodel", "first").keys() == files("savedmodel", "first").keys()  # replaced

    images = np.load(pipeline.folder / "data/normalized/test/images.npy")
    probabilities = np.load(pipeline.folder / "data/predictions/probabilities.npy")
    network = Interpreter(str(pipeline.folder / "first/model.tflite")).get_signature_runner()
    exported = network(images=images)["probabilities"]
    np.testing.assert_allclose(exported, probabilities.mean(axis=0), rtol=0, atol=1e-5)
