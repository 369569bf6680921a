"""What the attacks share: an honest network to start from, and a victim that reads what they made of it.

Every attack is recorded as if training had left it, since otherwise its SHA-256 alone gave it away; and every one meets
a process in which someone has switched Keras' own protection off.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from core.cli.errors import DataError
from core.networks import models
from core.networks.architectures import NETWORKS
from core.networks.runtime import keras
from stages.evaluate import networks

CLASSES, SHAPE = ["Coat", "Dress", "Bag"], (4, 6)


@pytest.fixture(scope="session")
def honest() -> bytes:
    """A `.keras` file as training leaves it."""
    keras.utils.set_random_seed(0)
    network = NETWORKS["dense"].build(SHAPE, len(CLASSES), hidden_units=[5], dropout=0.25)
    return models.saved(models.with_probabilities(network))


@pytest.fixture(scope="session")
def members(honest) -> dict[str, bytes]:
    """What is in it."""
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def canary(tmp_path) -> Path:
    """A file that no attack may bring into being."""
    return tmp_path / "canary"


@pytest.fixture
def unprotected():
    """Keras' switch for those who trust every file, which it then holds against an explicit `safe_mode=True`."""
    from keras.src.backend.common import global_state

    keras.config.enable_unsafe_deserialization()
    yield
    global_state.set_global_attribute("safe_mode_saving", None)


@pytest.fixture
def victim(tmp_path, unprotected):
    """A function that reads a file, recorded or not, as `evaluate` does."""

    def victim(content: bytes) -> list[keras.Model]:
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model/0.keras").write_bytes(content)
        card = {"networks": [hashlib.sha256(content).hexdigest()], "classes": CLASSES, "image_shape": SHAPE}
        (tmp_path / "training.json").write_text(json.dumps(card), encoding="utf-8")
        return networks.read(tmp_path / "model", tmp_path / "training.json", CLASSES, SHAPE)

    return victim


@pytest.fixture
def refusal(tmp_path, victim, canary):
    """A function that returns why a file is refused, without the path: one line, and no canary, and no other file."""

    def refusal(content: bytes) -> str:
        before = {*tmp_path.rglob("*"), *(tmp_path / name for name in ("model", "model/0.keras", "training.json"))}
        with pytest.raises(DataError) as caught:
            victim(content)
        assert {*tmp_path.rglob("*")} == before
        assert not canary.exists()
        line, place = str(caught.value), str(tmp_path / "model/0.keras")
        assert line.startswith(place) and line.isprintable() and len(line) < 1500
        assert line.endswith(
            "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
        )
        return line.removeprefix(place).removeprefix(": ").partition("; fix: ")[0]

    return refusal
