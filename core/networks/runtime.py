"""TensorFlow and Keras, started the same way by every stage that needs them: import `keras` and `tf` from here.

What the user's machine would say about backend, float type, image format or number of threads is shut out, since each
changes the result (TensorFlow sums in another order on another number of threads). A GPU is left alone for that reason.
"""

import gc
import os
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


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Hide modules that are not imported yet, as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type] # None: no such module (Python reference, 5.3.1)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Collect no garbage meanwhile, and leave what is there now alone for good.

    An import makes a million objects and hardly any garbage: to look for it among them, here and when the process ends,
    takes a third of the time of TensorFlow's import.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


_PREFIXES = ("TF_", "KERAS_", "XLA_", "DNNL_", "ONEDNN_", "OMP_", "MKL_")
for _name in [name for name in os.environ if name.startswith(_PREFIXES)]:
    del os.environ[_name]
os.environ |= {
    "KERAS_HOME": os.path.join(os.devnull, "keras"),  # no folder can be there, so that no keras.json is read or made
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
}

# Where they are installed, Keras imports these too, for what nobody here needs of it: a second, and their settings.
with _silence(), _without("matplotlib", "pandas", "scipy", "sklearn"), _no_garbage():
    import keras
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_operations(threads: int) -> None:
    """Let that many threads share each operation; to be called before the first one runs.

    By how many the sums are divided shows in their last digits, so it is never left to the machine. One, and an
    operation runs on the thread that calls it: then as many replicates run side by side as there are cores.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)


tf.get_logger().setLevel("ERROR")  # it takes the loops of several replicates for one function, compiled ever anew
share_operations(1)
# What XLA does not compile has operations that wait for none of the others, so that a replicate has two of these
# threads at work; with fewer, replicates stand in each other's way. Their number changes no result.
tf.config.threading.set_inter_op_parallelism_threads(2 * cores())

__all__ = ["cores", "keras", "share_operations", "tf"]
