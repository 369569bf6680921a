import numpy as np
import pytest

from core.cli.errors import InputError
from stages.train import memory

MEGABYTE = np.zeros(250_000, np.float32)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that makes a machine of what Linux says of its memory and of its container's."""

    def machine(meminfo, *limits):
        for name, text in {"meminfo": meminfo, "v2": limits[:1], "v1": limits[1:]}.items():
            if text:
                (tmp_path / name).write_text(text if name == "meminfo" else text[0], encoding="ascii")
        monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(memory, "CONTAINERS", (tmp_path / "v2", tmp_path / "v1"))

    return machine


@pytest.mark.fault("more training images than memory has room for")
def test_images_fit_where_two_copies_of_them_do():
    assert memory.fits(MEGABYTE, {"MEMORY_LIMIT_MB": "2"})
    assert not memory.fits(np.append(MEGABYTE, MEGABYTE[:1]), {"MEMORY_LIMIT_MB": "2"})
    assert not memory.fits(MEGABYTE, {"MEMORY_LIMIT_MB": "1"})


@pytest.mark.parametrize(
    "text", ["x", "0", "-1", "1.5", "1e3", "inf", "nan", " 1", "1\n", "9999999999", "\u0661", "1 MB"]
)
@pytest.mark.fault("MEMORY_LIMIT_MB is no number of MB")
def test_what_is_no_number_of_megabytes_is_refused(text):
    with pytest.raises(InputError) as caught:
        memory.fits(MEGABYTE, {"MEMORY_LIMIT_MB": text})

    [problem] = caught.value.problems
    assert (problem.subject, problem.what, problem.got) == ("MEMORY_LIMIT_MB", "not a number of MB", text)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((), 4096 * 1024),
        (("max\n",), 4096 * 1024),
        (("1000000\n",), 1_000_000),
        (("max\n", "3000000\n"), 3_000_000),
        (("9223372036854771712\n",), 4096 * 1024),
    ],
)
@pytest.mark.fault("a container that may use less than the machine has, a machine that does not say what is free")
def test_without_a_number_half_of_the_memory_there_is_may_go_to_images(machine, limits, expected):
    """What is free or can be made so, or what a container may use, whichever is less."""
    machine("MemTotal:  9999 kB\nMemFree:   7 kB\nMemAvailable:    4096 kB\nBuffers: 1 kB\n", *limits)

    assert memory.limit({}) == memory.limit({"MEMORY_LIMIT_MB": ""}) == expected // 2


@pytest.mark.fault("a container that may use less than the machine has, a machine that does not say what is free")
def test_a_machine_that_does_not_say_what_is_free_has_all_its_memory(machine):
    machine("")

    assert memory.limit({}) > 100_000_000


def test_where_nothing_is_known_of_memory_images_are_held(machine, monkeypatch):
    """As on Windows."""
    machine("")
    monkeypatch.delattr("os.sysconf")

    assert memory.fits(MEGABYTE, {})
