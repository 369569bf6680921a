import pytest

from core.cli.errors import InputError
from stages.train import memory

MEMINFO = "MemTotal:  9999 kB\nMemFree:   7 kB\nMemAvailable:    4096 kB\nBuffers: 1 kB\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that writes /proc/meminfo and the limits of a container; without a text, a file is missing."""

    def machine(*texts):
        files = [tmp_path / name for name in ("meminfo", "v2", "v1")]
        for file, text in zip(files, texts, strict=False):
            file.write_text(text, encoding="ascii")
        monkeypatch.setattr(memory, "MEMINFO", files[0])
        monkeypatch.setattr(memory, "CONTAINERS", files[1:])

    return machine


@pytest.mark.fault("more training images than memory has room for")
def test_images_may_take_the_megabytes_of_the_limit():
    assert memory.limit({"MEMORY_LIMIT_MB": "2"}) == 2_000_000


@pytest.mark.parametrize("text", ["x", "0", "1.5", "9999999999", "1 MB"])
@pytest.mark.fault("MEMORY_LIMIT_MB is no number of MB")
def test_a_limit_that_is_not_a_number_of_megabytes_is_refused(text):
    with pytest.raises(InputError) as caught:
        memory.limit({"MEMORY_LIMIT_MB": text})

    [problem] = caught.value.problems
    assert (problem.subject, problem.what, problem.got) == ("MEMORY_LIMIT_MB", "not a number of MB", text)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([], 4096 * 1024),
        (["max\n"], 4096 * 1024),
        (["1000000\n"], 1_000_000),
        (["max\n", "3000000\n"], 3_000_000),
        (["9223372036854771712\n"], 4096 * 1024),
    ],
)
@pytest.mark.fault("a container that may use less than the machine has, a machine that does not say what is free")
def test_without_a_limit_images_may_take_half_of_what_the_machine_or_the_container_has(machine, limits, expected):
    machine(MEMINFO, *limits)

    assert memory.limit({}) == memory.limit({"MEMORY_LIMIT_MB": ""}) == expected // 2


@pytest.mark.fault("a container that may use less than the machine has, a machine that does not say what is free")
def test_a_machine_that_does_not_tell_its_available_memory_has_all_of_it(machine, monkeypatch):
    """As on macOS; Windows does not even tell how much it has."""
    machine()
    assert 100_000_000 < memory.limit({}) < 1 << 60

    monkeypatch.delattr("os.sysconf")
    assert memory.limit({}) > 1 << 60
