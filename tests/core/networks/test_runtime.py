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


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    (home / ".keras").mkdir()
    (home / ".keras/keras.json").write_text(
        '{"floatx": "float16", "backend": "jax", "image_data_format": "channels_first"}'
    )
    environment = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "KERAS_HOME": str(home / ".keras"),
        "KERAS_BACKEND": "jax",
    }
    environment |= {"OMP_NUM_THREADS": "7", "TF_NUM_INTRAOP_THREADS": "7", "XLA_FLAGS": "--no-such-flag"}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | environment, capture_output=True, encoding="utf-8"
    )
    assert result.returncode == 0, result.stderr
    return result, temporary


def test_packages_that_keras_does_not_need_are_hidden_from_keras_only(started):
    assert started[0].stdout.splitlines()[0] == "[]"  # and the import of matplotlib afterwards did not fail


def test_no_folder_of_keras_is_left_behind(started):
    result, temporary = started
    assert result.stdout.splitlines()[1] == "False"
    assert not list(temporary.glob("keras-*"))


@pytest.mark.fault("settings of the user: keras.json, KERAS_*, TF_*, XLA_*")
def test_settings_of_the_user_are_ignored(started):
    lines = started[0].stdout.splitlines()
    assert lines[2] == "float32 channels_last"
    assert lines[3] == f"1 {len(os.sched_getaffinity(0))}"


@pytest.mark.fault("start-up noise of TensorFlow and Keras")
def test_nothing_is_printed_at_the_start(started):
    assert started[0].stderr == ""
