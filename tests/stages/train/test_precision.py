"""`train.precision`: bfloat16 changes convolutions where the processor has it, and is refused elsewhere."""

import numpy as np
import pytest

from core.cli.errors import InputError
from core.files.arrays import Split
from core.networks.runtime import tf
from stages.train import precision, trainer
from tests.stages.train.plain import settings

SPLIT = Split(np.random.RandomState(0).uniform(size=(24, 8, 8)).astype(np.float32), np.arange(24, dtype=np.uint8) % 3)


def cpuinfo(tmp_path, monkeypatch, flags: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse\nbugs\t\t: none\n")
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "cpuinfo")


@pytest.mark.parametrize(
    ("flags", "expected"), [("avx512_bf16", True), ("amx_bf16", True), ("avx512f avx512_bf16x", False)]
)
def test_the_processor_says_whether_it_has_bfloat16(tmp_path, monkeypatch, flags, expected):
    cpuinfo(tmp_path, monkeypatch, flags)

    assert precision.supported() is expected


@pytest.mark.fault("a processor without bfloat16")
def test_bfloat16_is_refused_on_a_processor_that_lacks_it(tmp_path, monkeypatch):
    cpuinfo(tmp_path, monkeypatch, "avx512f")

    with pytest.raises(InputError) as caught:
        trainer.fit(SPLIT, 3, settings(network="cnn_small", precision="bfloat16"))

    assert str(caught.value) == (
        "params.yaml: train.precision: this processor has no instructions for bfloat16 (expected avx512_bf16 or "
        f"amx_bf16 in {precision.CPUINFO}, got neither); fix: set train.precision to float32, then dvc repro"
    )


@pytest.fixture
def emulated(monkeypatch):
    """TensorFlow emulates bfloat16 on a processor with AVX-512."""
    if "avx512f" not in precision.CPUINFO.read_text():
        pytest.skip("TensorFlow has bfloat16 on processors with AVX-512 alone")
    monkeypatch.setattr(precision, "supported", lambda: True)
    yield
    precision.choose("float32")


@pytest.mark.usefixtures("emulated")
def test_bfloat16_rounds_what_goes_into_convolutions():
    """The rounding is at most one part in 256."""
    losses = []
    for chosen in ("float32", "bfloat16", "bfloat16", "float32"):
        (run,) = trainer.fit(SPLIT, 3, settings(network="cnn_small", precision=chosen, learning_rate=0.001, epochs=2))
        losses.append(run.history[-1]["train_loss"])

    assert losses[0] == losses[3] and losses[1] == losses[2]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.usefixtures("emulated")
def test_batch_normalization_stays_float32():
    """A number of bfloat16 ends with 16 zeros when it is written as float32."""
    random = np.random.RandomState(0)
    images, kernel = (random.normal(size=size).astype(np.float32) for size in ((4, 8, 8, 3), (3, 3, 3, 24)))
    ones = np.ones(24, np.float32)
    precision.choose("bfloat16")

    @tf.function
    def outputs(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        convolved = tf.nn.conv2d(images, kernel, 1, "SAME")
        return convolved, tf.raw_ops.FusedBatchNormV3(x=convolved, scale=ones, offset=ones, mean=[], variance=[]).y

    convolution, normalization = (each.numpy().view(np.uint32) & 0xFFFF for each in outputs(images, kernel))

    assert not convolution.any()
    assert normalization.any()
