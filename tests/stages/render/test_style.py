import os
import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager

from stages.render import style
from stages.render.figures import samples
from tests.stages.render.conftest import ROOT

IMAGE = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def example():
    return samples.example(IMAGE, np.array([0.7, 0.3]), 0, ["Coat", "Bag"])


ELSEWHERE = """
import os, sys
import numpy as np
before = dict(os.environ)
from stages.render import style
from stages.render.figures import samples
image = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
draw = lambda: samples.example(image, np.array([0.7, 0.3]), 0, ["Coat", "Bag"])
sys.stdout.buffer.write(style.png(draw, 50))
assert os.environ == before
"""


@pytest.mark.fault("a backend that does not exist, settings of the user, no home")
@pytest.mark.slow
def test_settings_and_fonts_of_the_user_change_no_byte_and_nothing_is_left_in_the_home(tmp_path):
    """The list of fonts has another font under our name, the backend does not exist, one matplotlibrc is not text, and
    another one is in the working folder.
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
    (tmp_path / "matplotlibrc").write_text("font.size: 30\ntext.parse_math: True\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "XDG_"))}
    strange = {"HOME": str(home), "TMPDIR": str(temporary), "MPLBACKEND": "bogus", "MATPLOTLIBRC": str(settings)}
    strange |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

    ended = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], cwd=tmp_path, env=inherited | strange, capture_output=True, timeout=60
    )

    assert known != fonts.read_text(encoding="utf-8")
    assert (ended.stdout, ended.stderr) == (style.png(example, 50), b"")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_settings_of_the_process_change_no_byte_and_stay():
    first = style.png(example, 50)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.parse_math": True}):
        assert style.png(example, 50) == first
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (0.004, "<1%"),
        (0.0051, "1%"),
        (0.7049, "70%"),
        (0.9949, "99%"),
        (0.995, "99.5%"),
        (0.9998, ">99.9%"),
        (1, "100%"),
    ],
)
def test_only_certainty_is_100_percent(share, text):
    assert style.percent(share) == style.percent(np.float32(share)) == text


@pytest.mark.fault("letters that the font lacks")
def test_a_name_with_letters_that_the_font_lacks_becomes_its_number():
    drawable = style.drawable(["Trägerkleid", "衬衫", "Рубашка", "👟", "a 靴"])

    assert drawable == ["Trägerkleid", "class 1", "Рубашка", "class 3", "class 4"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in drawable:
            style.png(lambda name=name: samples.training_image(IMAGE, name), 50)


@pytest.mark.parametrize("scale", [style.RIGHT_SCALE, style.WRONG_SCALE])
def test_text_on_a_colour_has_contrast(scale):
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    colours = matplotlib.colormaps[scale](np.linspace(0, 1, 50))[:, :3]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminances = linear @ [0.2126, 0.7152, 0.0722]

    inks = [style.ink(colour) for colour in colours]

    contrasts = [
        (luminance + 0.05) / 0.05 if ink == "black" else 1.05 / (luminance + 0.05)
        for ink, luminance in zip(inks, luminances, strict=True)
    ]
    assert min(contrasts) >= 4.5 and {"black", "white"} == set(inks)


def test_a_wide_name_is_cut():
    assert style.cut("Ankle boot", style.TICK_NAME) == "Ankle boot"
    narrow, wide = style.cut("l" * 64, 5), style.cut("W" * 64, 5)
    assert narrow.endswith("l…") and wide.endswith("W…") and len(narrow) > 2 * len(wide)
