"""TensorFlow and Keras, started the same way by every stage that needs them: import `keras` and `tf` from here.

What the user's machine would say about backend, float type, image format or number of threads is shut out, since each
changes the result (TensorFlow sums in another order on another number of threads). A GPU is left alone for that reason.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _silence() -> Iterator[None]:
    """Keep start-up notices off stderr, unless what wrote them fails.

    TensorFlow's C++ side writes some before it reads TF_CPP_MIN_LOG_LEVEL (tensorflow#100442), so nothing but the file
    descriptor itself holds them back.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notices:
        stderr = os.dup(2)
        os.dup2(notices.fileno(), 2)
        try:
            yield
        except BaseException:
            notices.seek(0)
            os.write(stderr, notices.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


# Keras reads (and otherwise creates) keras.json in this folder when it is imported.
_home = tempfile.mkdtemp(prefix="keras-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith(("TF_", "KERAS_", "XLA_", "OMP_", "MKL_"))]:
    del os.environ[_name]
os.environ |= {
    "KERAS_HOME": _home,
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
}

with _silence():
    import keras
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(4)

__all__ = ["keras", "tf"]
