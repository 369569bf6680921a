import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from core.cli.errors import DataError, InputError
from core.files.arrays import Split
from stages.render.__main__ import main
from stages.render.drawing import pngs
from tests.conftest import snapshot
from tests.stages.render.conftest import BLANK, ROOT

INPUTS = [
    "data/normalized/train",
    "data/normalized/test",
    "data/normalized/classes.json",
    "data/raw/preparation.json",
    "data/predictions",
    "reports/history.csv",
    "data/training.json",
    "data/ensemble.json",
    "reports/metrics.json",
]
OUTPUTS = ["reports/report.md", "reports/report.html", "reports/figures"]


@pytest.fixture
def work(tmp_path, monkeypatch, write_inputs) -> Path:
    """A project folder with the inputs of render, for three classes and two replicates."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    train, test = (
        Split(random.random((count, 3, 4), np.float32), np.arange(count, dtype=np.uint8) % 3) for count in (12, 8)
    )
    probabilities = random.dirichlet([1, 1, 1], (2, 8)).astype(np.float32)
    write_inputs(tmp_path, ["Coat", "Trägerkleid", "Bag"], train, test, probabilities)
    return tmp_path


@pytest.mark.fault("a link to a figure that is not there, a figure without a link")
def test_each_figure_is_drawn_once_and_both_reports_show_it(work, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr("stages.render.__main__.pngs", lambda figures, dpi: drawn.extend(figures) or pngs(figures, dpi))

    main(*map(Path, INPUTS + OUTPUTS))

    text, page = (Path("reports", name).read_text(encoding="utf-8") for name in ("report.md", "report.html"))
    figures = {path.name: path.read_bytes() for path in Path("reports/figures").iterdir()}
    assert len(drawn) == len(figures) > 10
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert sorted(links) == sorted(f"figures/{name}" for name in figures)
    embedded = re.findall(r'<img src="data:image/png;base64,([^"]+)" width', page)
    assert [base64.b64decode(data) for data in embedded] == [figures[link.removeprefix("figures/")] for link in links]
    for data in figures.values():
        Image.open(io.BytesIO(data)).verify()
    for form in (text, page):
        assert "Kleidungsstücke" in form and "Trägerkleid" in form and "train.learning_rate" in form
        assert "12 training images" in form and "8 test images" in form
        assert "predicted alone" in form and "Training image 3, of class" in form
        assert str(work) not in form
    metrics = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    accuracy = f"{metrics['test']['accuracy']:.4f}"
    assert accuracy in text and accuracy in page
    assert capsys.readouterr().out == f"{len(figures)} figures; test accuracy {accuracy}\n"


def test_a_large_page_has_a_warning_and_links_lead_to_the_figures_in_any_folder(work, capsys, monkeypatch):
    monkeypatch.setattr("stages.render.__main__.MOST_BYTES", 10_000)
    monkeypatch.setattr("stages.render.style.png", lambda draw, *how: BLANK)

    main(*map(Path, INPUTS), Path("told/there/report.md"), Path("told/report.html"), Path("drawn/here"))

    size = Path("told/report.html").stat().st_size / 1e6
    expected = f"report.html has {size:.1f} MB and opens slowly: lower render.dpi or render.mistakes\n"
    assert capsys.readouterr().out.startswith(expected)
    assert "(../../drawn/here/curves.png)" in Path("told/there/report.md").read_text(encoding="utf-8")


def test_an_image_out_of_range_is_refused_before_anything_is_written(work):
    params = json.loads(Path("params.yaml").read_text(encoding="utf-8"))
    params["render"]["examples"] = [9, 8]
    Path("params.yaml").write_text(json.dumps(params), encoding="utf-8")
    before = snapshot(Path())

    with pytest.raises(InputError, match=r"params\.yaml: render\.examples: .* \(expected 0 to 7, got 8\)"):
        main(*map(Path, INPUTS + OUTPUTS))
    assert snapshot(Path()) == before


@pytest.mark.fault("images that params.yaml names and a small data set lacks")
def test_examples_that_do_not_exist_are_left_out_with_one_line(work, capsys):
    params = json.loads(Path("params.yaml").read_text(encoding="utf-8"))
    params["render"]["examples"] = [12, 7, 8]
    Path("params.yaml").write_text(json.dumps(params), encoding="utf-8")

    main(*map(Path, INPUTS + OUTPUTS))

    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "render.examples: left out 12, 8, as the test images are 0 to 7"
    assert "figures; test accuracy" in last
    assert {path for path in snapshot(Path()) if "/example_" in path} == {f"{OUTPUTS[-1]}/example_7.png"}


@pytest.mark.slow
@pytest.mark.fault("a backend that does not exist, settings of the user, no home")
@pytest.mark.fault("an ASCII locale")
@pytest.mark.fault("drawn twice")
def test_a_run_with_other_settings_locale_and_no_home_has_equal_bytes_and_loads_no_heavy_package(work):
    """The home is a file, in which not even the super-user can write. The user's list of fonts has another font under
    the name of ours, and the backend does not exist.
    """
    main(*map(Path, INPUTS + OUTPUTS))
    expected = snapshot(Path())
    for file in (*Path("reports/figures").iterdir(), *Path("reports").glob("report.*")):
        file.unlink()
    (work / "home").write_bytes(b"")
    (work / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\n", encoding="utf-8")
    fonts = work / f"matplotlib/fontlist-v{font_manager.FontManager.__version__}.json"
    fonts.parent.mkdir()
    font_manager.json_dump(font_manager.fontManager, fonts)
    fonts.write_text(fonts.read_text(encoding="utf-8").replace("DejaVuSans.ttf", "DejaVuSerif.ttf"), encoding="utf-8")
    strange_files = {name: data for name, data in snapshot(Path()).items() if name not in expected}
    strange = {
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "bogus",
        "XDG_CACHE_HOME": str(work),  # its folder "matplotlib" has the list of fonts
        "HOME": str(work / "home"),
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
    assert snapshot(Path()) == expected | strange_files


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("reports/metrics.json", b'{"test": {"accuracy": NaN}}'),
        ("reports/history.csv", b"replicate,epoch\n0,0\n"),
        ("data/predictions/probabilities.npy", b"\x93NUMPY"),
    ],
)
@pytest.mark.fault("records of the run that are damaged or gone")
def test_a_damaged_or_missing_input_is_named_before_anything_is_written(work, name, data):
    for damage in (lambda: Path(name).write_bytes(data), Path(name).unlink):
        damage()
        before = snapshot(Path())
        with pytest.raises((DataError, FileNotFoundError), match=re.escape(name)):
            main(*map(Path, INPUTS + OUTPUTS))
        assert snapshot(Path()) == before
