"""From a decoded image or an array, of any kind, to upright 8-bit sRGB pixels."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image, ImageCms

BACKGROUND = (255, 255, 255)
"""Shows through transparent parts: white, as on a web page, where cut-out portraits are seen."""

STRIP = 64  # rows that are copied at a time
SAME_COLOR = 2  # a profile that moves no probe colour by more steps than this is sRGB already


def from_image(image: Image.Image) -> Pixels:
    """A PIL image, which stays as it is, to (H, W, 3) uint8; see `open_picture`."""
    from PIL import Image

    image.load()
    turn, profile = _turn(image), image.info.get("icc_profile")
    if image.mode[0] in "IF":  # I, I;16, I;16B, F
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    elif image.has_transparency_data:
        flat = _flatten(image.convert("RGBA"))
        image = flat.convert("L") if image.mode in ("L", "LA") else flat
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        image = _to_srgb(image, profile)
    image = image.convert("RGB") if image.mode != "RGB" else image
    return _copied(image.transpose(turn) if turn is not None else image)


def _copied(image: Image.Image) -> Pixels:
    """The pixels of an RGB image, strip by strip.

    Pillow makes two copies of all that it hands over at once, and for a photo the system takes
    longer to find that memory than Pillow to fill it.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright, by its EXIF orientation; None when nothing or unknown."""
    from PIL.Image import Transpose

    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # a damaged EXIF block does not make the pixels unreadable
        return None
    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)


def _flatten(image: Image.Image) -> Image.Image:
    """RGBA over the background; opaque pixels keep their exact values."""
    from PIL import Image

    flat = Image.new("RGB", image.size, BACKGROUND)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Converts L, RGB or CMYK; an unusable profile, or sRGB itself, changes nothing."""
    from PIL import ImageCms

    modes = ("L", "RGB") if image.mode == "L" else (image.mode,)  # grey may carry either profile
    for mode in modes:
        transform = _transform(profile, mode)
        if transform is not None:
            return ImageCms.applyTransform(image.convert(mode), transform) or image
    return image


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None when the profile is damaged, is not for this mode, or changes no colour visibly."""
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        ramp = np.linspace(0, 255, 6).astype(np.uint8)
        bands = np.stack(np.meshgrid(*[ramp] * Image.getmodebands(mode)), -1).reshape(6, -1)
        size = bands.size // 6 // Image.getmodebands(mode), 6
        probe = Image.frombytes(mode, size, bands.tobytes())
        moved = np.asarray(ImageCms.applyTransform(probe, transform), np.int16)
    except Exception:  # not to be read, or not for this mode
        return None
    change = np.abs(moved - np.asarray(probe.convert("RGB"))).max()
    return transform if change > SAME_COLOR else None


def from_array(array: npt.NDArray[Any]) -> Pixels:
    """An array as `open_picture` takes it to (H, W, 3) uint8."""
    from PIL import Image

    shape, kind = array.shape, array.dtype
    if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise PictureError(
            f"expected an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {shape}"
        )
    if kind.kind == "f":
        if not (array.min() >= -1e-3 and array.max() <= 1 + 1e-3):  # also for NaN
            raise PictureError(
                f"expected a {kind} array with values in 0..1, got {array.min():g}..{array.max():g}"
            )
    elif kind.newbyteorder("=") not in (np.uint8, np.uint16):
        raise PictureError(f"expected an array of uint8, uint16 or floats in 0..1, got {kind}")
    pixels = _eight_bits(array)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return np.asarray(_flatten(Image.fromarray(pixels)))
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels)


def _eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Any depth to 8 bits; 16 bits lose their lower 8, as in Pillow's 16-bit colour.

    Of floats and of integers of 32 bits the largest value tells the range.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.newbyteorder("=") == np.uint16:
        return (values >> 8).astype(np.uint8)
    top = float(values.max())
    if not (np.isfinite(values).all() and top <= 65535):
        raise PictureError(f"expected pixel values of at most 65535, got {top:g}")
    values = np.maximum(values, 0)
    if values.dtype.kind in "iu":
        return (values >> 8 if top > 255 else values).astype(np.uint8)
    values = values.astype(np.float32)
    scale = 255.0 if top <= 1.001 else 1.0 if top <= 255 else 1 / 257
    return np.minimum(np.rint(values * scale), 255).astype(np.uint8)
