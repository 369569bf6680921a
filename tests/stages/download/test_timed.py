"""How long a read waits; that each kind of read is one of these is shown by the faults of test_mirrors.py."""

import io

import pytest

from stages.download import timed


class Socket:
    """Has a time-out of 3 seconds, and remembers those that it is given."""

    def __init__(self):
        self.timeouts = []

    def gettimeout(self):
        return 3

    def settimeout(self, timeout):
        self.timeouts.append(timeout)


def test_each_read_waits_as_long_as_a_silence_may_last_or_as_is_left():
    left = [4, 3, 2, 1]
    stream = timed.Timed(io.BytesIO(b"abcde"), sock := Socket(), lambda: left.pop(0))

    assert [stream.read(1) for _ in range(4)] == [b"a", b"b", b"c", b"d"]
    assert sock.timeouts == [3, 3, 2, 1]
    with pytest.raises(IndexError):
        stream.read(1)
    assert sock.timeouts == [3, 3, 2, 1]
