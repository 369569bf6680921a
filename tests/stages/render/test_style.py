import hashlib
import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from stages.render import look
from stages.render.figures import pictures

ROOT = Path(__file__).parents[3]
IMAGE = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def example():
    return pictures.example(IMAGE, np.array([0.7, 0.3]), 0, ["Coat", "Bag"])


def test_a_figure_has_the_same_bytes_whatever_the_settings_of_the_user():
    theirs = {
        "font.size": 30,
        "font.family": "serif",
        "axes.facecolor": "red",
        "text.parse_math": True,
        "image.cmap": "jet",
    }
    first = look.png(example, 50)
    with matplotlib.rc_context(theirs):
        second = look.png(example, 50)
        assert matplotlib.rcParams["font.size"] == 30

    assert first == second


ELSEWHERE = """
import hashlib, os
import numpy as np
before = dict(os.environ)
from stages.render import look
from stages.render.figures import pictures
image = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
png = look.png(lambda: pictures.example(image, np.array([0.7, 0.3]), 0, ["Coat", "Bag"]), 50)
print(hashlib.sha256(png).hexdigest(), os.environ == before)
"""


@pytest.mark.fault("a backend that does not exist, settings of the user, no home")
def test_neither_the_home_nor_its_list_of_fonts_is_read_and_nothing_is_left_there(tmp_path):
    """In that list another font bears the name of ours, the backend is none, and the settings are not even text; those
    in the working folder, where matplotlib looks first of all, are.
    """
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    cache, settings = home / ".cache/matplotlib", home / ".config/matplotlib"
    for folder in (cache, settings, temporary):
        folder.mkdir(parents=True)
    fonts = cache / f"fontlist-v{font_manager.FontManager.__version__}.json"
    font_manager.json_dump(font_manager.fontManager, fonts)
    known = fonts.read_text(encoding="utf-8")
    fonts.write_text(known.replace("DejaVuSans.ttf", "DejaVuSerif.ttf"), encoding="utf-8")
    (settings / "matplotlibrc").write_bytes(b"font.size: 30\n\xff\xfe\n")
    (tmp_path / "matplotlibrc").write_text("font.size: 30\ntext.hinting: none\naxes.linewidth: 9\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "XDG_"))}
    theirs = {"HOME": str(home), "TMPDIR": str(temporary), "MPLBACKEND": "bogus", "MATPLOTLIBRC": str(settings)}
    theirs["PYTHONPATH"] = str(ROOT)

    printed = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        cwd=tmp_path,
        env=inherited | theirs,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert known != fonts.read_text(encoding="utf-8")
    assert (printed.stdout, printed.stderr) == (f"{hashlib.sha256(look.png(example, 50)).hexdigest()} True\n", "")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_nobody_else_imports_matplotlib_before_it_is_shut_off_from_the_home():
    importers = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stages").glob("**/*.py")
        if re.search(r"^\s*(from|import) matplotlib", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]

    assert importers == ["stages/render/look.py"]


def test_the_dots_an_inch_set_the_size_and_the_file_says_nothing_of_who_wrote_it():
    image = Image.open(io.BytesIO(look.png(example, 50)))

    assert image.size == (8 * 50, 4 * 50)
    assert set(image.info) == {"dpi"}


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (0.004, "<1%"),
        (0.0051, "1%"),
        (0.7049, "70%"),
        (0.9949, "99%"),
        (0.995, "99.5%"),
        (0.9986, "99.9%"),
        (0.9998, ">99.9%"),
        (1, "100%"),
    ],
)
def test_a_share_is_said_to_be_certain_only_where_it_is(share, text):
    assert look.percent(share) == look.percent(np.float32(share)) == text


@pytest.mark.fault("letters that the font lacks")
def test_a_name_with_letters_that_the_font_lacks_goes_by_its_number():
    names = ["Trägerkleid", "衬衫", "Рубашка", "👟", "a 靴"]

    drawable = look.drawable(names)

    assert drawable == ["Trägerkleid", "class 1", "Рубашка", "class 3", "class 4"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in drawable:
            look.png(lambda name=name: pictures.training_image(IMAGE, name), 50)


@pytest.mark.parametrize("scale", [look.RIGHT_SCALE, look.WRONG_SCALE])
def test_what_is_written_on_a_colour_stands_out(scale):
    """By at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    colours = matplotlib.colormaps[scale](np.linspace(0, 1, 50))[:, :3]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminances = linear @ [0.2126, 0.7152, 0.0722]

    inks = [look.ink(colour) for colour in colours]

    contrasts = [
        (luminance + 0.05) / 0.05 if ink == "black" else 1.05 / (luminance + 0.05)
        for ink, luminance in zip(inks, luminances, strict=True)
    ]
    assert min(contrasts) >= 4.5 and {"black", "white"} == set(inks)


def test_a_wide_name_is_cut_to_its_room():
    assert look.cut("Ankle boot", look.TICK_NAME) == "Ankle boot"
    narrow, wide = look.cut("l" * 64, 5), look.cut("W" * 64, 5)
    assert narrow.endswith("l…") and wide.endswith("W…") and len(narrow) > 2 * len(wide)
