"""dvc.lock and dvc.yaml, whole and damaged."""

import pytest
import yaml

from core.cli.errors import DataError, InputError
from tools import lock, pipeline

PIPELINE = b"""
stages:
  make: {cmd: x, deps: [code], outs: [data/one, {data/d: {persist: true}}]}
  score:
    cmd: x
    deps: [data/one, code, params.py]
    plots: [{reports/figures: {cache: false, title: T}}]
    metrics: [reports/kept.json, {reports/m.json: {cache: false}}]
"""
LOCK = b"""
schema: '2.0'
stages:
  make:
    cmd: x
    deps: [{path: code, hash: md5, md5: c.dir, size: 3, nfiles: 1}]
    params:
      params.yaml: {train: {rate: 1e-05, units: [1, 2], flip: true}}
      datasets.yaml: {mnist: {title: T}}
    outs: [{path: data/one, md5: '1'}, {path: data/d, md5: d.dir}]
  score:
    cmd: x
    deps: [{path: data/one, md5: '1'}, {path: code, md5: c.dir}, {path: p.py, md5: p}]
    outs: [{path: reports/m.json, md5: m}]
"""


def test_the_record_has_the_outputs_the_sources_and_the_params_by_their_full_names():
    record = lock.read(LOCK)

    assert (record.output("data/d"), record.output("code")) == ("d.dir", None)
    assert (record.dependency("score", "data/one"), record.dependency("make", "data/one")) == ("1", None)
    assert record.sources() == {"code": "c.dir", "p.py": "p"}
    names = {"train.rate": 0.00001, "train.units": [1, 2], "train.flip": True, "datasets.yaml: mnist.title": "T"}
    assert record.params() == names  # 1e-05 is a number, as in YAML 1.2


def test_each_recorded_output_is_kept_by_dvc_or_by_git():
    outs = lock.outs(lock.read(LOCK), pipeline.read(PIPELINE))

    assert [tuple(out) for out in outs] == [
        ("make", "data/one", "1", True),
        ("make", "data/d", "d.dir", True),
        ("score", "reports/m.json", "m", False),
    ]


def test_a_path_is_found_by_the_name_of_the_file():
    declared = pipeline.read(PIPELINE)

    assert [declared.path(name) for name in ("d", "figures", "kept.json", "m.json")] == [
        "data/d",
        "reports/figures",
        "reports/kept.json",
        "reports/m.json",
    ]
    with pytest.raises(KeyError):
        declared.path("other.json")


MERGE = b"stages:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> other\n"


@pytest.mark.parametrize("read", [lock.read, pipeline.read])
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (MERGE, "contains the markers of a merge conflict, <<<<<<<"),
        (b"", ""),
        (b"\nstages: {", "line 2: expected the node content"),
        (b"stages: {make: 1}", ""),
        (b"\xff\xfe\x00", ""),
    ],
)
@pytest.mark.fault("dvc.lock or dvc.yaml is empty, cut, or has the markers of a merge")
def test_a_damaged_file_is_one_line_with_the_way_to_repair_it(read, data, what):
    name = {lock.read: "dvc.lock", pipeline.read: "dvc.yaml"}[read]

    with pytest.raises(DataError) as caught:
        read(data)
    assert str(caught.value).startswith(f"{name}: damaged: {what}")
    assert f"; fix: git checkout HEAD -- {name}" in str(caught.value)

    with pytest.raises(DataError, match=r"^main: x: damaged: .*; fix: name another revision$"):
        read(data, "main: x", "name another revision")


def test_without_a_pipeline_here_it_is_said_where_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match=r"^dvc.yaml: no such file here; fix: git checkout HEAD -- dvc.yaml, or run"):
        pipeline.here()
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {}}), encoding="utf-8")
    assert pipeline.here().outputs == []
