"""Pictures in many disguises, their files written by Pillow, against the image that they were made of."""

import io

import numpy as np
import pytest
from PIL import Image

from core.formats import image_file
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


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A lopsided shape in light greys, from the first row to the last: 28x20 of 28x28 pixels."""
    rows, columns = np.mgrid[:28, :28]
    shape = (abs(columns - 13.5) < 4 + rows * 0.22) & ((columns < 16) | (rows > 8))
    return np.where(shape, 120 + 4 * rows + (columns % 4 == 0) * 20, 0).astype(np.uint8)


def blurred(image):
    """What becomes of the shape when each of its pixels was made ten times as large: the filter, a triangle of twice
    the width, weighs a pixel with 6 and its neighbours with 1, those of them that are inside of the shape's box.
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


def prepared(image, kind="PNG", invert="auto", framing=DARK, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return prepare(image_file.decode(stream.getvalue(), "a"), SHAPE, framing, invert)


def on_its_side(image):
    """As a camera stores it that was held sideways: turned, with the tag by which programs turn it back."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return page(image).transpose(Image.Transpose.ROTATE_90), {"exif": tags}


def cut_out(image):
    """The shape dark, and beneath what is transparent the same grey as in the middle of the shape."""
    values = np.asarray(large(image))
    grey = Image.fromarray(np.where(values, 255 - values, 100).astype(np.uint8))
    return Image.merge("LA", [grey, Image.fromarray((values > 0).astype(np.uint8) * 255)])


DISGUISES = {
    "large": lambda image: (large(image), {}),
    "16 bits": lambda image: (Image.fromarray(np.asarray(large(image)).astype(np.uint16) * 257), {}),
    "page": lambda image: (page(image), {}),
    "page in colour": lambda image: (page(image).convert("RGB"), {}),
    "palette": lambda image: (page(image).convert("P"), {}),
    "on its side": on_its_side,
    "cut out": lambda image: (cut_out(image), {}),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_picture_is_the_image_it_was_made_of(image, disguise):
    disguised, options = DISGUISES[disguise](image)

    values, _ = prepared(disguised, **options)

    assert values.shape == SHAPE and values.dtype == np.uint8
    assert abs(values - blurred(image) * 255 / image.max()).mean() < 2  # its lightest pixel becomes white


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_lossy_one_is_nearly_that(image, kind):
    values, notes = prepared(page(image), kind, quality=95)

    assert abs(values - blurred(image) * 255 / image.max()).mean() < 3
    assert notes[0] == "inverted, as the training images are light on dark"


@pytest.mark.fault("a picture that is changed though it is like the training images")
def test_one_like_the_training_images_comes_through_byte_for_byte(image):
    values, notes = prepared(Image.fromarray(image))

    assert values.tobytes() == image.tobytes()
    assert notes == ()


def test_so_does_its_negative(image):
    values, notes = prepared(Image.fromarray(255 - image))

    assert values.tobytes() == image.tobytes()
    assert notes == ("inverted, as the training images are light on dark",)


@pytest.mark.fault("a picture of the size of the training images that is framed or lit in another way")
def test_one_of_their_size_that_is_not_framed_or_lit_as_they_are_is_brought_to_it(image):
    small = np.zeros(SHAPE, np.uint8)
    small[4:18, 10:20] = image[::2, 4:24:2]
    dim = (image // 2 + 40).astype(np.uint8)

    for other in (small, dim):
        values, _ = prepared(Image.fromarray(other))
        assert image_file.boxes(values[None])[0, [0, 2]].tolist() == [0, 28]
        assert values.max() > 240 and values.min() == 0


@pytest.mark.fault("a picture that is not square, or has other margins")
def test_the_margin_is_that_of_the_training_images(image):
    """Half of the image: the shape, 28 rows of 20 columns, comes to 14 rows of 10, in the middle."""
    values, notes = prepared(page(image), framing=DARK.model_copy(update={"extent": 0.5}))

    assert image_file.boxes(values[None]).tolist() == [[7, 9, 21, 19]]
    assert notes[1] == "trimmed to the subject (202x281 of 500x400)"


def test_it_is_placed_as_the_training_images_are(image):
    """An L, whose mass is low and to the left: by its box in the middle, or by its mass, at 0.5 and 0.4."""
    ell = np.zeros((400, 400), np.uint8)
    ell[100:300, 100:150] = ell[260:300, 100:300] = 255
    like = DARK.model_copy(update={"extent": 0.5})

    by_box, _ = prepared(Image.fromarray(ell), framing=like)
    by_mass, _ = prepared(
        Image.fromarray(ell), framing=like.model_copy(update={"centring": "mass", "centre": [0.5, 0.4]})
    )

    assert image_file.boxes(by_box[None]).tolist() == [[7, 7, 21, 21]]
    rows, columns = np.indices(SHAPE) + 0.5
    for places, at in ((rows, 14), (columns, 0.4 * 28)):
        assert (by_mass * places).sum() / by_mass.sum() == pytest.approx(at, abs=0.6)


@pytest.mark.fault("a picture that is not square, or has other margins")
def test_it_is_never_stretched():
    """A bar of 300x30 pixels is 28x3 in the end."""
    bar = np.zeros((200, 400), np.uint8)
    bar[40:70, 60:360] = 255

    values, _ = prepared(Image.fromarray(bar))

    assert (values > 127).sum(axis=1).max() == 28 and (values > 127).sum(axis=0).max() == 3


def test_height_and_width_are_not_exchanged():
    """A bar of 40x20 pixels on a page of 100x60, for images of 30x14 whose subjects take up half: room for 15x7."""
    page = np.zeros((60, 100), np.uint8)
    page[10:30, 50:90] = 220

    half = DARK.model_copy(update={"extent": 0.5})
    values, _ = prepare(image_file.Picture(Image.fromarray(page), ()), (14, 30), half, "auto")

    assert values.shape == (14, 30)
    assert image_file.boxes(values[None]).tolist() == [[4, 8, 11, 22]]


def test_what_is_padded_is_not_to_be_seen():
    """A ring on a page that is not quite black, while the training images are: its inside and its outside are one."""
    page = np.full((60, 100), 20, np.uint8)
    page[10:50, 40:80] = 220
    page[20:40, 50:70] = 20

    values, _ = prepared(Image.fromarray(page), framing=DARK.model_copy(update={"extent": 0.5}))

    assert image_file.boxes(values[None]).tolist() == [[7, 7, 21, 21]]
    assert values[0, 0] == values[27, 27] == values[14, 14]


@pytest.mark.fault("dark on light, where the training images are light on dark, or the other way round")
def test_training_images_may_be_dark_on_light(image):
    dark_on_light, notes = prepared(page(image), framing=LIGHT)
    inverted, other_notes = prepared(large(image), framing=LIGHT)

    assert notes == ("trimmed to the subject (202x281 of 500x400)",)
    assert other_notes[0] == "inverted, as the training images are dark on light"
    assert dark_on_light[0, 0] == inverted[0, 0] == 255 and dark_on_light.min() < 10


def test_without_a_plain_background_a_picture_is_fitted_as_it_is():
    values = np.random.default_rng(0).integers(0, 256, (56, 112), np.uint8)
    photographs = DARK.model_copy(update={"plain": False})

    fitted, notes = prepared(Image.fromarray(values), framing=photographs)
    inverted, _ = prepared(Image.fromarray(values), framing=photographs, invert="yes")

    assert notes == () and fitted.tobytes() == image_file.fitted(values, SHAPE).tobytes()
    assert inverted.tobytes() == image_file.fitted(255 - values, SHAPE).tobytes()


def test_what_is_said_of_light_and_dark_counts(image):
    """Told to leave light and dark as they are, it looks for what is lighter than its background: nothing."""
    assert prepared(page(image), invert="yes")[1][0] == "inverted, as invert is yes"
    assert "nothing stands out" in prepared(page(image), invert="no")[1][-1]


@pytest.mark.parametrize(
    ("colour", "invert", "ground", "shown"),
    [
        (0, "auto", "white", 255),
        (200, "auto", "white", 255),
        (255, "auto", "black", 255),
        (200, "no", "black", 255),
        (0, "yes", "white", 255),
        (255, "yes", "white", 0),  # nothing is left of it
    ],
)
@pytest.mark.fault("alpha, transparent colours and palettes")
def test_what_is_transparent_is_laid_on_what_shows_the_rest(colour, invert, ground, shown):
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    picture = Image.merge("LA", [Image.new("L", (40, 40), colour), Image.fromarray(alpha)])

    values, notes = prepared(picture, invert=invert)

    assert notes[0] == f"what is transparent laid on {ground}"
    assert values[14, 14] == shown


def test_the_ground_is_what_becomes_the_background_of_the_training_images():
    dot = Image.new("LA", (40, 40), (0, 0))
    dot.paste((100, 255), (10, 10, 30, 30))

    assert prepared(dot, invert="no", framing=LIGHT).notes[0] == "what is transparent laid on white"
    assert prepared(dot, invert="yes", framing=LIGHT).notes[0] == "what is transparent laid on black"


def test_an_alpha_channel_of_nothing_but_opaque_pixels_is_not_spoken_of(image):
    assert prepared(page(image).convert("RGBA")).notes == prepared(page(image)).notes


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (28, 29)])
def test_any_size_is_brought_to_the_one_needed(size):
    assert prepared(Image.new("L", size, 255)).values.shape == SHAPE


@pytest.mark.parametrize("size", [(28, 28), (50, 40)])
@pytest.mark.parametrize(("least", "blank"), [(0, True), (2, True), (9, False)])
def test_it_is_said_where_nothing_is_to_be_seen(size, least, blank):
    picture = Image.new("L", size, 100)
    picture.paste(100 - least, (10, 10, 20, 20))

    notes = prepared(picture).notes

    assert (BLANK in notes) == blank
