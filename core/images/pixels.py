"""The pixels of pictures: as grey values or colours, along the border, around the subject.

A grey value is the luminance of ITU-R 601. Grey values of 16 bits are divided by 257, which maps the whole range to the
whole range; of 16-bit colours the upper 8 bits count.
"""

import numpy as np
from PIL import Image

STANDS_OUT = 32  # grey values; a smaller difference from the background is noise of a camera or of JPEG
GREY_MODES = ("1", "L", "LA", "I;16")  # of Pillow


def grey(image: Image.Image, background: int) -> np.ndarray:
    """Return a decoded image as uint8 (height, width), on a background in [0, 255] where it is transparent."""
    transparency = image.info.get("transparency")
    if image.mode == "I;16":
        values = np.asarray(image).astype(np.uint32)
        scaled = ((values + 128) // 257).astype(np.uint8)
        return scaled if transparency is None else np.where(values == transparency, np.uint8(background), scaled)
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "L" else image.convert("L"))
    image = image.convert("RGBA")
    under = Image.new("L", image.size, background)
    return np.asarray(Image.composite(image.convert("L"), under, image.getchannel("A")))


def colour(image: Image.Image, background: int) -> np.ndarray:
    """Return a decoded image as uint8 (height, width, 3), on a grey background in [0, 255] where it is transparent."""
    if image.mode in GREY_MODES:
        return np.repeat(grey(image, background)[..., None], 3, axis=-1)
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    image = image.convert("RGBA")
    under = Image.new("RGB", image.size, (background,) * 3)
    return np.asarray(Image.composite(image.convert("RGB"), under, image.getchannel("A")))


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return uint8 images as (n, height, width) if channels is 1, and as (n, height, width, 3) if it is 3.

    images: uint8 of one of these shapes; those that have the wanted number of channels are returned as they are.
    """
    is_colour = images.ndim == 4  # not by the last axis: grey images may be 3 pixels wide
    if channels == 3:
        return images if is_colour else np.repeat(images[..., None], 3, axis=-1)
    if not is_colour:
        return images
    red, green, blue = (images[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)  # as Pillow does


def is_coloured(values: np.ndarray) -> bool:
    """Return whether any pixel of uint8 (..., 3) is not grey."""
    return bool((values[..., 0] != values[..., 1]).any() or (values[..., 1] != values[..., 2]).any())


def border(values: np.ndarray) -> int:
    """Return the median of the outermost pixels of uint8 (height, width): the value of the background."""
    return int(borders(values[None])[0])


def borders(images: np.ndarray) -> np.ndarray:
    """Return the border of each image, uint8 (n,), of uint8 (n, height, width)."""
    outermost = edges(images)
    return np.sort(outermost, axis=1)[:, outermost.shape[1] // 2]


def edges(images: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of (..., height, width), one side after the other, as (..., n)."""
    return np.concatenate([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], axis=-1)


def boxes(images: np.ndarray) -> np.ndarray:
    """Return the bounding box of the subject in each of uint8 (n, height, width), as integers (n, 4).

    A box is the first row and column, and the row and column after the last. The subject is what differs from the
    background by more than STANDS_OUT; if nothing does, it is the whole image.
    """
    ground = borders(images)[:, None, None]
    differs = np.where(images > ground, images - ground, ground - images) > STANDS_OUT
    rows, columns = differs.any(axis=2), differs.any(axis=1)
    first = [side.argmax(axis=1) for side in (rows, columns)]
    after = [side.shape[1] - side[:, ::-1].argmax(axis=1) for side in (rows, columns)]
    return np.stack([*first, *after], axis=1)
