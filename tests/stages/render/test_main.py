import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.errors import DataError, InputError
from core.files.arrays import Split
from stages.render import look
from stages.render.__main__ import main

ROOT = Path(__file__).parents[3]

INPUTS = [
    "data/normalized/train",
    "data/normalized/test",
    "data/normalized/classes.json",
    "data/predictions",
    "reports/history.csv",
    "data/training.json",
    "reports/metrics.json",
]
OUTPUTS = ["reports/report.md", "reports/report.html", "reports/figures"]


@pytest.fixture
def work(tmp_path, monkeypatch, write_inputs) -> Path:
    """A project folder with what the stages before this one leave, three classes and two replicates."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    train, test = (
        Split(random.random((count, 3, 4), np.float32), np.arange(count, dtype=np.uint8) % 3) for count in (12, 8)
    )
    probabilities = random.dirichlet([1, 1, 1], (2, 8)).astype(np.float32)
    write_inputs(tmp_path, ["Coat", "Trägerkleid", "Bag"], train, test, probabilities)
    return tmp_path


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def digests(folder: Path) -> dict[str, str]:
    files = [*folder.glob("reports/figures/*"), *folder.glob("reports/report.*")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.fault("a link to a figure that is not there, a figure without a link")
def test_the_figures_are_drawn_once_and_both_reports_show_each_of_them(work, capsys, monkeypatch):
    drawn = []
    png = look.png
    monkeypatch.setattr("stages.render.__main__.png", lambda draw, dpi: drawn.append(draw) or png(draw, dpi))

    main(*map(Path, INPUTS + OUTPUTS))

    text, page = (Path("reports", name).read_text(encoding="utf-8") for name in ("report.md", "report.html"))
    figures = {path.name: path.read_bytes() for path in Path("reports/figures").iterdir()}
    assert len(drawn) == len(figures) > 10
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert sorted(links) == sorted(f"figures/{name}" for name in figures)
    embedded = re.findall(r'<img src="data:image/png;base64,([^"]+)" width', page)
    opened = figures["confusion_counts.png"]  # the page has the matrix itself
    assert sorted(map(base64.b64decode, embedded)) == sorted(data for data in figures.values() if data != opened)
    for data in figures.values():
        Image.open(io.BytesIO(data)).verify()
    for form in (text, page):
        assert "Trägerkleid" in form
        assert "train.learning_rate" in form
        assert "12 training images" in form and "8 test images" in form
        assert "Test image 1, predicted alone" in form and "Training image 3 as it came" in form
        assert str(work) not in form
    metrics = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    accuracy = f"{metrics['test']['accuracy']:.4f}"
    assert accuracy in text and accuracy in page
    assert capsys.readouterr().out == f"{len(figures)} figures; test accuracy {accuracy}\n"


def test_a_page_that_opens_slowly_is_said_to(work, capsys, monkeypatch):
    monkeypatch.setattr("stages.render.__main__.MOST_BYTES", 100_000)

    main(*map(Path, INPUTS + OUTPUTS))

    size = Path("reports/report.html").stat().st_size / 1e6
    expected = f"report.html has {size:.1f} MB and opens slowly: lower render.dpi or render.mistakes\n"
    assert capsys.readouterr().out.startswith(expected)


def test_the_links_lead_to_the_figures_wherever_both_are_written(work):
    main(*map(Path, INPUTS), Path("told/there/report.md"), Path("told/report.html"), Path("drawn/here"))

    assert "(../../drawn/here/curves.png)" in Path("told/there/report.md").read_text(encoding="utf-8")


def test_an_image_that_is_not_there_is_refused_before_anything_is_written(work):
    params = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(params.replace("[0, 2]", "[0, 8]"), encoding="utf-8")

    with pytest.raises(InputError, match=r"params\.yaml: render\.examples: .* \(expected 0 to 7, got 8\)"):
        main(*map(Path, INPUTS + OUTPUTS))
    assert not Path("reports/figures").exists() and not list(Path("reports").glob("report.*"))


@pytest.mark.fault("a backend that does not exist, settings of the user, no home")
@pytest.mark.fault("an ASCII locale")
@pytest.mark.fault("drawn twice")
def test_neither_the_users_matplotlib_nor_locale_changes_a_byte_and_no_heavy_package_is_loaded(work):
    """The other process has a backend that does not exist, other colours and sizes, an ASCII locale, and a file for a
    home, where nobody, the super-user included, can write anything.
    """
    main(*map(Path, INPUTS + OUTPUTS))
    expected = digests(work)
    for file in (*Path("reports/figures").iterdir(), *Path("reports").glob("report.*")):
        file.unlink()
    (work / "nowhere").write_bytes(b"")
    settings = work / "matplotlib"
    settings.mkdir()
    (settings / "matplotlibrc").write_text(
        "font.size: 30\naxes.facecolor: red\ntext.parse_math: True\n", encoding="utf-8"
    )
    strange = {
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "bogus",
        "MATPLOTLIBRC": str(settings),
        "MPLCONFIGDIR": str(work / "nowhere"),
        "HOME": str(work / "nowhere"),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "7",
    }
    script = (
        "import sys; from pathlib import Path; from stages.render.__main__ import main; main(*map(Path, sys.argv[1:]));"
        "print(sorted({'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, *INPUTS, *OUTPUTS]
    process = subprocess.run(command, env=os.environ | strange, capture_output=True, text=True, timeout=60)

    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1] == "[]"
    assert digests(work) == expected


@pytest.mark.parametrize("missing", INPUTS[4:])
def test_a_missing_file_is_named_in_one_line(work, missing, run_stage, assert_clean_failure):
    Path(missing).unlink()

    run = run_stage("stages.render", *INPUTS, *OUTPUTS)

    assert_clean_failure(run, 1, f"error: {missing}: No such file or directory; fix: mend that, then dvc repro")


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        (
            "reports/metrics.json",
            b'{"test": {"accuracy": NaN}}',
            "not plain JSON (expected JSON, got NaN where a finite number ",
        ),
        ("data/training.json", b"<html></html>", "not plain JSON (expected JSON, got Expecting value: line 1 "),
        (
            "reports/history.csv",
            b"replicate,epoch\n0,0\n",
            "not the columns that are needed (expected replicate,epoch,",
        ),
    ],
)
@pytest.mark.fault("records of the run that are damaged or gone")
def test_a_damaged_record_is_named_before_anything_is_written(work, name, data, line):
    Path(name).write_bytes(data)
    before = snapshot(work)

    with pytest.raises(DataError) as caught:
        main(*map(Path, INPUTS + OUTPUTS))

    [problem] = caught.value.problems
    assert str(problem).startswith(f"{name}: {line}")
    assert str(problem).endswith(
        "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
    )
    assert snapshot(work) == before


@pytest.mark.slow
@pytest.mark.fault("records of the run that are damaged or gone")
def test_a_damaged_record_ends_the_stage_with_4(work, run_stage, assert_clean_failure):
    Path("reports/metrics.json").write_bytes(b"[]")

    assert_clean_failure(
        run_stage("stages.render", *INPUTS, *OUTPUTS),
        4,
        "error: reports/metrics.json: wrong value (expected a mapping, got []); "
        "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro",
    )
