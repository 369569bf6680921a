"""dvc.lock, whole and damaged."""

import copy
import json

import pytest
import yaml

from core.cli.errors import DataError
from tools.compare import comparison, lock

TEST = [{"path": lock.TEST, "md5": "t.dir"}, {"path": lock.CLASSES, "md5": "c"}]
PARAMS = {"params.yaml": {"train": {"replicates": 3, "epochs": 2}}}
WHOLE = {
    "download": {"cmd": "x", "deps": [], "outs": [{"path": lock.RAW, "md5": "r.dir", "size": 1}]},
    "normalize": {"cmd": "x", "deps": [], "outs": TEST},
    "train": {"cmd": "x", "deps": [], "params": PARAMS, "outs": []},
    "evaluate": {"cmd": "x", "deps": TEST, "outs": [{"path": lock.METRICS, "md5": "m"}]},
}


def parse(stages):
    return lock.parse(yaml.safe_dump({"schema": "2.0", "stages": stages}), "main")


def test_a_whole_record_tells_of_replicates_and_digests():
    record = parse(WHOLE | {"render": None})

    assert lock.replicates(record) == 3
    assert lock.digests(record["evaluate"]["deps"]) == {lock.TEST: "t.dir", lock.CLASSES: "c"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("train",), None),
        (("train",), "train"),
        (("train", "params"), [1]),
        (("train", "params"), {"params.yaml": [1]}),
        (("train", "params"), {}),
        (("train", "params", "params.yaml", "train"), {"epochs": 2}),
        (("train", "params", "params.yaml", "train", "replicates"), 0),
        (("train", "params", "params.yaml", "train", "replicates"), "3"),
        (("download", "deps"), None),
        (("download", "outs"), []),
        (("download", "outs"), [{"path": lock.RAW}]),
        (("normalize", "outs"), [{"path": lock.RAW, "md5": 12}]),
        (("evaluate", "deps"), []),
        (("evaluate", "outs"), []),
    ],
)
def test_a_record_damaged_anywhere_is_a_data_error(path, value):
    stages = copy.deepcopy(WHOLE)
    *parents, last = path
    node = stages
    for key in parents:
        node = node[key]
    node[last] = value

    with pytest.raises(DataError, match=r"^main: dvc.lock: not whole \(expected a record of download, normalize, "):
        parse(stages)


@pytest.mark.parametrize(
    "text", ["", "- 1", "text", "stages: {}", "stages: [", "stages: &a [*a]", "stages: 2020-99-99"]
)
def test_what_is_no_record_is_a_data_error(text):
    with pytest.raises(DataError, match=r"^main: dvc.lock: not whole"):
        lock.parse(text, "main")


def test_an_unfinished_merge_is_told_of():
    """What is committed can't be mended by running anything, be it a merge or whatever else makes it no record."""
    merge = "stages:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> other\n"

    for text in (merge, ""):
        for side, fix in (
            ("workspace", "git checkout HEAD -- dvc.lock, then dvc repro"),
            ("main", "name another revision: git log --oneline -- dvc.lock lists them"),
        ):
            with pytest.raises(DataError) as caught:
                lock.parse(text, side)
            assert str(caught.value).endswith(f"; fix: {fix}")
            assert ("merge conflict, <<<<<<<" in str(caught.value)) == (text == merge)


def test_a_small_number_is_one_as_dvc_writes_it():
    text = yaml.safe_dump({"stages": WHOLE}).replace("epochs: ", "rate: 1e-05\n          epochs: ")

    assert lock.parse(text, "workspace")["train"]["params"]["params.yaml"]["train"]["rate"] == 0.00001


def test_params_that_json_can_not_say_become_text():
    """YAML knows dates and infinities."""
    odd = "{rate: .inf, other: [.nan, 1.5], day: 2020-01-02, 1: true, replicates: 3}"
    stages = copy.deepcopy(WHOLE)
    stages["train"]["params"]["params.yaml"]["train"] = yaml.safe_load(odd)

    found = comparison.different_params(parse(stages), parse(WHOLE))

    base = {name: values.base for name, values in found.items()}
    assert json.loads(json.dumps(base, allow_nan=False)) == {
        "train.rate": "inf",
        "train.other": ["nan", 1.5],
        "train.day": "2020-01-02",
        "train.1": True,
        "train.epochs": None,
    }
