"""Start TensorFlow and Keras in the same way everywhere: import `keras` and `tf` from here.

The user's settings of backend, float type, image format and threads are ignored, and no GPU is used, because each of
these changes results. On another number of threads, TensorFlow adds up numbers in another order.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _silence() -> Iterator[None]:
    """Keep start-up notices off stderr, unless the start fails.

    TensorFlow's C++ code writes some before it reads TF_CPP_MIN_LOG_LEVEL (tensorflow#100442), so only the file
    descriptor itself can be silenced.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notices:
        stderr = os.dup(2)
        os.dup2(notices.fileno(), 2)
        try:
            yield
        except Exception:
            notices.seek(0)
            os.write(stderr, notices.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


_PREFIXES = ("TF_", "KERAS_", "XLA_", "DNNL_", "ONEDNN_", "OMP_", "MKL_")
for _name in [name for name in os.environ if name.startswith(_PREFIXES)]:
    del os.environ[_name]
os.environ |= {
    "KERAS_HOME": os.path.join(os.devnull, "keras"),  # cannot exist, so no keras.json is read or written
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
    "XLA_FLAGS": "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion",  # fewer passes over memory
}

# Keras imports these packages if they are installed. That takes a second, and nothing here needs it. A module that is
# None counts as not installed (Python reference, 5.3.1).
_UNUSED = [name for name in ("matplotlib", "pandas", "scipy", "sklearn") if name not in sys.modules]
sys.modules |= dict.fromkeys(_UNUSED)  # type: ignore[arg-type]
# An import makes a million objects and hardly any garbage. Looking through them, here and when the process ends, is a
# third of the time of an import of TensorFlow.
gc.disable()
with _silence():
    import keras
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
gc.freeze()
gc.enable()
for _name in _UNUSED:
    del sys.modules[_name]


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_operations(threads: int) -> None:
    """Let this many threads share each operation. Call this before the first operation runs.

    The number of threads changes the last digits of sums, so it never depends on the machine. With one thread, an
    operation runs on the thread that calls it, and as many replicates run at once as there are cores.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)


tf.get_logger().setLevel("ERROR")  # it warns that one function is compiled again, but each loop has a function
share_operations(1)
# Without XLA, independent operations of a replicate run at once on these threads. Two for each core are enough; with
# fewer, replicates wait for each other. Their number changes no result.
tf.config.threading.set_inter_op_parallelism_threads(2 * cores())

__all__ = ["cores", "keras", "share_operations", "tf"]
