import json
from pathlib import Path

import pytest

from core.config import params
from core.files import durations

RECORD = Path(".dvc/tmp/training_seconds.json")


@pytest.fixture
def settings(project) -> params.Train:
    """The committed params, in a DVC project: 10 epochs of 5 replicates."""
    (project / ".dvc").mkdir()
    return params.section(params.Train)


def test_an_estimate_is_for_all_epochs_of_all_replicates(settings):
    durations.write(settings, 60000, (28, 28), epochs=50, seconds=25)

    assert durations.estimate(settings, 60000, [28, 28]) == 25
    assert durations.estimate(settings.model_copy(update={"epochs": 20, "replicates": 3}), 60000, (28, 28)) == 30


def test_only_what_decides_the_speed_tells_trainings_apart(settings):
    durations.write(settings, 60000, (28, 28), epochs=50, seconds=25)

    for change in ({"learning_rate": 0.5}, {"seed": 7}, {"output": "softmax"}, {"learning_rate_schedule": "cosine"}):
        assert durations.estimate(settings.model_copy(update=change), 60000, (28, 28)) == 25
    several = {"network": "cnn", "hidden_units": [64], "batch_size": 64, "threads": 2, "validation_fraction": 0.2}
    for change in ({param: value} for param, value in several.items()):
        assert durations.estimate(settings.model_copy(update=change), 60000, (28, 28)) is None
    assert durations.estimate(settings, 59999, (28, 28)) is None
    assert durations.estimate(settings, 60000, (28, 28, 3)) is None


def test_a_later_training_replaces_its_own_kind_alone(settings):
    other = settings.model_copy(update={"threads": 2})
    durations.write(settings, 60000, (28, 28), epochs=50, seconds=25)
    durations.write(other, 60000, (28, 28), epochs=50, seconds=75)

    durations.write(settings, 60000, (28, 28), epochs=50, seconds=100)

    assert [durations.estimate(each, 60000, (28, 28)) for each in (settings, other)] == [100, 75]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": "b"}', b'{"a": -1}', b"\xff"])
@pytest.mark.fault("a damaged record of how long training took")
def test_a_damaged_record_counts_as_none_and_is_replaced(settings, content):
    RECORD.parent.mkdir()
    RECORD.write_bytes(content)

    assert durations.estimate(settings, 60000, (28, 28)) is None
    durations.write(settings, 60000, (28, 28), epochs=50, seconds=25)
    assert list(json.loads(RECORD.read_bytes()).values()) == [0.5]


def test_nothing_is_written_outside_a_dvc_project_or_into_a_folder_that_cannot_be(settings):
    RECORD.parent.write_bytes(b"no folder")
    durations.write(settings, 60000, (28, 28), epochs=50, seconds=25)
    RECORD.parent.unlink()
    RECORD.parents[1].rmdir()
    durations.write(settings, 60000, (28, 28), epochs=50, seconds=25)

    assert not RECORD.parents[1].exists()
    assert durations.estimate(settings, 60000, (28, 28)) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "about 0 seconds"),
        (1.2, "about 1 second"),
        (120.4, "about 120 seconds"),
        (121, "about 2 minutes"),
        (552, "about 9 minutes"),
        (7200, "about 120 minutes"),
        (10_000, "about 3 hours"),
    ],
)
def test_a_duration_in_words_has_the_unit_that_fits(seconds, words):
    assert durations.worded(seconds) == words
