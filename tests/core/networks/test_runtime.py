"""TensorFlow and Keras start in the same way, whichever packages are installed and whatever the user has set."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from core.networks import runtime
print(sorted({"matplotlib", "pandas", "scipy", "sklearn"} & set(sys.modules)))
import matplotlib
print(os.path.exists(os.environ["KERAS_HOME"]))
print(runtime.keras.config.floatx(), runtime.keras.config.image_data_format())
print(runtime.tf.config.threading.get_intra_op_parallelism_threads(), runtime.cores())
"""


@pytest.mark.fault("settings of the user: keras.json, KERAS_*, TF_*, XLA_*")
@pytest.mark.fault("start-up noise of TensorFlow and Keras")
def test_keras_starts_quietly_without_settings_of_the_user_or_packages_that_it_does_not_need(tmp_path):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    (home / ".keras").mkdir(parents=True)
    temporary.mkdir()
    config = '{"floatx": "float16", "backend": "jax", "image_data_format": "channels_first"}'
    (home / ".keras/keras.json").write_text(config, encoding="utf-8")
    environment = {"HOME": str(home), "TMPDIR": str(temporary), "KERAS_HOME": str(home / ".keras")}
    environment |= {"KERAS_BACKEND": "jax", "OMP_NUM_THREADS": "7", "TF_NUM_INTRAOP_THREADS": "7"}
    environment |= {"XLA_FLAGS": "--no-such-flag"}

    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | environment, capture_output=True, encoding="utf-8"
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "[]",  # and the import of matplotlib afterwards did not fail
        "False",
        "float32 channels_last",
        f"1 {len(os.sched_getaffinity(0))}",
    ]
    assert not list(temporary.glob("keras-*"))
