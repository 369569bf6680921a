"""Pictures on paper, cut out, or large, in files written by Pillow, against the image that they were made of."""

import io

import numpy as np
import pytest
from PIL import Image

from core.images import decoding, fitting, pixels
from stages.evaluate.framing import Framing
from tools.predict.formats import BLANK
from tools.predict.preparing import prepare

SHAPE = (28, 28)
DARK = Framing(
    background=0,
    subject=255,
    plain=True,
    extent=1.0,
    centring="box",
    centre=[0.5, 0.5],
    limits={"border": [0, 0], "darkest": [0, 0], "lightest": [248, 255], "extent": [0.9, 1]},
)
LIGHT = DARK.model_copy(update={"background": 255, "subject": 0})
HALF = DARK.model_copy(update={"extent": 0.5})


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A lopsided shape in light greys, from the first row to the last: 28x20 of 28x28 pixels."""
    rows, columns = np.mgrid[:28, :28]
    shape = (abs(columns - 13.5) < 4 + rows * 0.22) & ((columns < 16) | (rows > 8))
    return np.where(shape, 120 + 4 * rows + (columns % 4 == 0) * 20, 0).astype(np.uint8)


def blurred(image):
    """The shape after each of its pixels was enlarged ten times and reduced again.

    The filter, a triangle of twice the width, weighs a pixel with 6 and each neighbour in the box with 1.
    """

    def filtered(values):
        weights = 6 * np.eye(len(values)) + np.eye(len(values), k=1) + np.eye(len(values), k=-1)
        return weights @ values / weights.sum(axis=1, keepdims=True)

    return np.pad(filtered(filtered(image[:, 4:24].astype(float)).T).T, [(0, 0), (4, 4)])


def large(image):
    return Image.fromarray(image).resize((280, 280), Image.Resampling.NEAREST)


def page(image):
    """The shape dark on white, on a page that is not square, not in its middle."""
    page = Image.new("L", (500, 400), 255)
    page.paste(Image.fromarray(255 - np.asarray(large(image))), (170, 90))
    return page


def prepared(image, kind="PNG", invert="auto", like=DARK, **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return prepare(decoding.decode(stream.getvalue(), "a"), SHAPE, like, invert)


def cut_out(image):
    """The shape dark, and beneath the transparent parts the same grey as in the middle of the shape."""
    values = np.asarray(large(image))
    grey = Image.fromarray(np.where(values, 255 - values, 100).astype(np.uint8))
    return Image.merge("LA", [grey, Image.fromarray((values > 0).astype(np.uint8) * 255)])


PICTURES = {
    "large": lambda image: (large(image), {}),
    "page": lambda image: (page(image), {}),
    "cut out": lambda image: (cut_out(image), {}),
    "JPEG": lambda image: (page(image), {"kind": "JPEG", "quality": 95}),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_becomes_the_image_that_it_was_made_of(image, kind):
    picture, options = PICTURES[kind](image)

    values, _ = prepared(picture, **options)

    assert values.shape == SHAPE and values.dtype == np.uint8
    # The lightest pixel becomes white.
    assert abs(values - blurred(image) * 255 / image.max()).mean() < (3 if "quality" in options else 2)


@pytest.mark.fault("a picture that is changed though it is like the training images")
def test_a_picture_like_the_training_images_and_its_negative_come_through_byte_for_byte(image):
    values, notes = prepared(image)
    negative, its_notes = prepared(255 - image)

    assert values.tobytes() == negative.tobytes() == image.tobytes()
    assert (notes, its_notes) == ((), ("inverted, as the training images are light on dark",))


@pytest.mark.fault("a picture of the size of the training images that is framed or lit in another way")
def test_a_picture_of_their_size_is_changed_if_it_is_framed_or_lit_in_another_way(image):
    small = np.zeros(SHAPE, np.uint8)
    small[4:18, 10:20] = image[::2, 4:24:2]
    dim = (image // 2 + 40).astype(np.uint8)

    for other in (small, dim):
        values, _ = prepared(other)
        assert pixels.boxes(values[None])[0, [0, 2]].tolist() == [0, 28]
        assert values.max() > 240 and values.min() == 0


@pytest.mark.fault("a picture that is not square, or has other margins")
def test_the_margin_is_that_of_the_training_images(image):
    """The shape, 28 rows of 20 columns, becomes half of the image: 14 rows of 10, in the middle."""
    values, notes = prepared(page(image), like=HALF)

    assert pixels.boxes(values[None]).tolist() == [[7, 9, 21, 19]]
    assert notes[1] == "trimmed to the subject (202x281 of 500x400)"


def test_the_subject_is_placed_like_those_of_the_training_images():
    """An L has its mass low and to the left: by its box it is in the middle, by its mass at 0.5 and 0.4."""
    ell = np.zeros((400, 400), np.uint8)
    ell[100:300, 100:150] = ell[260:300, 100:300] = 255

    by_box, _ = prepared(ell, like=HALF)
    by_mass, _ = prepared(ell, like=HALF.model_copy(update={"centring": "mass", "centre": [0.5, 0.4]}))

    assert pixels.boxes(by_box[None]).tolist() == [[7, 7, 21, 21]]
    rows, columns = np.indices(SHAPE) + 0.5
    for places, at in ((rows, 14), (columns, 0.4 * 28)):
        assert (by_mass * places).sum() / by_mass.sum() == pytest.approx(at, abs=0.6)


@pytest.mark.fault("a picture that is not square, or has other margins")
def test_the_subject_is_never_stretched():
    """A bar of 300x30 pixels becomes 28x3. For images of 30x14, one of 40x20 fills half: room for 15x7."""
    bar = np.zeros((200, 400), np.uint8)
    bar[40:70, 60:360] = 255
    wide = np.zeros((60, 100), np.uint8)
    wide[10:30, 50:90] = 220

    values, _ = prepared(bar)
    oblong, _ = prepare(decoding.Picture(Image.fromarray(wide), ()), (14, 30), HALF, "auto")

    assert (values > 127).sum(axis=1).max() == 28 and (values > 127).sum(axis=0).max() == 3
    assert oblong.shape == (14, 30) and pixels.boxes(oblong[None]).tolist() == [[4, 8, 11, 22]]


@pytest.mark.fault("dark on light, where the training images are light on dark, or the other way round")
def test_training_images_may_be_dark_on_light(image):
    dark_on_light, notes = prepared(page(image), like=LIGHT)
    inverted, other_notes = prepared(large(image), like=LIGHT)

    assert notes == ("trimmed to the subject (202x281 of 500x400)",)
    assert other_notes[0] == "inverted, as the training images are dark on light"
    assert dark_on_light[0, 0] == inverted[0, 0] == 255 and dark_on_light.min() < 10


def test_a_picture_is_only_fitted_if_the_training_images_have_no_plain_background():
    values = np.random.default_rng(0).integers(0, 256, (56, 112), np.uint8)
    photographs = DARK.model_copy(update={"plain": False})

    fitted, notes = prepared(values, like=photographs)
    inverted, _ = prepared(values, like=photographs, invert="yes")

    assert notes == () and fitted.tobytes() == fitting.fitted(values, SHAPE).tobytes()
    assert inverted.tobytes() == fitting.fitted(255 - values, SHAPE).tobytes()


@pytest.mark.parametrize(
    ("colour", "invert", "ground", "shown"),
    [
        (0, "auto", "white", 255),
        (255, "auto", "black", 255),
        (200, "no", "black", 255),
        (0, "yes", "white", 255),
        (255, "yes", "white", 0),  # nothing is left of it
    ],
)
@pytest.mark.fault("alpha, transparent colours and palettes")
def test_transparent_parts_are_laid_on_a_ground_that_shows_the_rest(colour, invert, ground, shown):
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    picture = Image.merge("LA", [Image.new("L", (40, 40), colour), Image.fromarray(alpha)])

    values, notes = prepared(picture, invert=invert)

    assert notes[0] == f"laid on {ground} where transparent"
    assert values[14, 14] == shown
    if invert != "auto":
        other = {"white": "black", "black": "white"}[ground]
        assert prepared(picture, invert=invert, like=LIGHT).notes[0] == f"laid on {other} where transparent"


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (28, 28), (50, 40)])
@pytest.mark.parametrize("least", [0, 2, 9])
def test_a_picture_of_any_size_is_read_and_has_a_note_if_nothing_stands_out(size, least):
    picture = Image.new("L", size, 100)
    picture.paste(100 - least, (10, 10, 20, 20))

    values, notes = prepared(picture)

    assert values.shape == SHAPE
    assert (BLANK in notes) == (least < 9 or 1 in size)


def test_a_picture_in_colour_is_made_grey_and_says_so(image):
    """One whose colours are all grey is not in colour, whatever its file says."""
    red = np.stack([image, image // 2, image // 2], axis=2)
    luminance = np.asarray(Image.fromarray(red).convert("L"))

    values, notes = prepared(red)
    same, its_notes = prepared(np.stack([image] * 3, axis=2))

    assert notes[0] == "made grey" and values.tobytes() == prepared(luminance).values.tobytes()
    assert its_notes == () and same.tobytes() == image.tobytes()
