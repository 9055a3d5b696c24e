"""Converts decoded images and arrays to upright 8-bit sRGB pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.errors import PictureError
from facegauge.images import canvas
from facegauge.images.remedies import for_range, for_shape, for_type

if TYPE_CHECKING:
    from PIL import Image, ImageCms

BACKGROUND = (255, 255, 255)
"""Colour behind transparent parts: white, as on most web pages."""

STRIP = 64  # rows that are converted at a time: copies of a whole photo would take its memory again
SRGB_TOLERANCE = 2  # grey levels; a profile that changes colours less is treated as sRGB
MAX_PROFILE = 4_000_000  # bytes; larger colour profiles are left aside
MAX_COPY = 200_000_000  # bytes; larger pictures are turned as a view, not as a copy


def from_image(image: Image.Image) -> Pixels:
    """Convert a PIL image, as `open_picture` does. The image is not modified.

    Args:
        image: of any mode.

    Returns:
        (H, W, 3) uint8, RGB, upright. Of a large picture that has to be turned, a view that is not
        contiguous.

    Raises:
        PictureError: pixel values are not finite or above 65535.
    """
    stored = canvas.load(image)
    top = _highest(image) if image.mode in ("I", "F") else 0.0
    how, profile = _exif_transpose(image), image.info.get("icc_profile")
    if stored is None:
        shape = _transposed(np.empty((image.height, image.width, 0), np.uint8), how).shape[:2]
        stored = _transposed(np.empty((*shape, 3), np.uint8), _inverse(how))
    for start, strip in _strips(image):
        stored[start : start + strip.height] = np.asarray(_strip_to_rgb(strip, top, profile))
    return _transposed(stored, how)


def from_decoded(pixels: Pixels, image: Image.Image) -> Pixels:
    """Finish pixels that another decoder made of a file: turned upright, in sRGB.

    Args:
        pixels: (H, W, 3) or (H, W, 1) uint8, as stored in the file; may be overwritten.
        image: the file's header, with EXIF and colour profile; not decoded.

    Returns:
        (H, W, 3) uint8, RGB. Of a large picture that has to be turned, a view that is not
        contiguous.
    """
    from PIL import Image

    profile, is_grey = image.info.get("icc_profile"), pixels.shape[2] == 1
    target = np.repeat(pixels, 3, axis=2) if is_grey else pixels
    if profile and _to_srgb_transform(profile, "L" if is_grey else "RGB") is not None:
        for start in range(0, len(pixels), STRIP):
            rows = slice(start, start + STRIP)
            strip = Image.fromarray(pixels[rows, :, 0] if is_grey else pixels[rows])
            target[rows] = np.asarray(_to_srgb(strip, profile).convert("RGB"))
    turned = _transposed(target, _exif_transpose(image))
    return turned if turned.nbytes > MAX_COPY else np.ascontiguousarray(turned)


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The first row of each strip of an image, and the strip."""
    for start in range(0, image.height, STRIP):
        end = min(start + STRIP, image.height)
        yield start, image.crop((0, start, image.width, end))


def _strip_to_rgb(image: Image.Image, top: float, profile: bytes | None) -> Image.Image:
    """Convert a part of an image of any mode to RGB; `top` is the largest value of the whole."""
    from PIL import Image

    if image.mode[0] in "IF":  # I, I;16, I;16B, F
        image = Image.fromarray(_to_8_bits(np.asarray(image), top))
    elif image.has_transparency_data:
        flat = _flatten(image.convert("RGBA"))
        image = flat.convert("L") if image.mode in ("L", "LA") else flat
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        image = _to_srgb(image, profile)
    return image.convert("RGB") if image.mode != "RGB" else image


def _highest(image: Image.Image) -> float:
    """The largest value of an image of floats or 32-bit integers."""
    return max(_checked_top(np.asarray(strip)) for _, strip in _strips(image))


def _transposed(pixels: Pixels, how: Image.Transpose | None) -> Pixels:
    """An array turned as `Image.transpose` turns an image; a view."""
    from PIL.Image import Transpose

    match how:
        case Transpose.FLIP_LEFT_RIGHT:
            return pixels[:, ::-1]
        case Transpose.FLIP_TOP_BOTTOM:
            return pixels[::-1]
        case Transpose.ROTATE_90 | Transpose.ROTATE_180 | Transpose.ROTATE_270:
            quarters = {Transpose.ROTATE_90: 1, Transpose.ROTATE_180: 2, Transpose.ROTATE_270: 3}
            return np.rot90(pixels, quarters[how])
        case Transpose.TRANSPOSE:
            return pixels.swapaxes(0, 1)
        case Transpose.TRANSVERSE:
            return pixels[::-1, ::-1].swapaxes(0, 1)
        case _:
            return pixels


def _inverse(how: Image.Transpose | None) -> Image.Transpose | None:
    """The operation that undoes another one."""
    from PIL.Image import Transpose

    quarters = {
        Transpose.ROTATE_90: Transpose.ROTATE_270,
        Transpose.ROTATE_270: Transpose.ROTATE_90,
    }
    return how if how is None else quarters.get(how, how)


def _exif_transpose(image: Image.Image) -> Image.Transpose | None:
    """The operation that turns the picture upright; None if upright or unknown."""
    from PIL.Image import Transpose

    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # the pixels of a picture with a damaged EXIF block are still valid
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
    """Blend RGBA with the background; opaque pixels keep their exact values."""
    from PIL import Image

    flat = Image.new("RGB", image.size, BACKGROUND)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert L, RGB or CMYK to sRGB; invalid profiles and sRGB itself change nothing."""
    from PIL import ImageCms

    if (found := _to_srgb_transform(profile, image.mode)) is None:
        return image
    mode, transform = found
    return ImageCms.applyTransform(image.convert(mode), transform) or image


def _to_srgb_transform(profile: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The transform for images of a mode, and the mode that it takes; None if there is none."""
    if len(profile) > MAX_PROFILE:
        return None
    for taken in ("L", "RGB") if mode == "L" else (mode,):  # grey ones may have an RGB profile
        if (transform := _transform(profile, taken)) is not None:
            return taken, transform
    return None


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None if the profile is invalid, or changes no colour visibly."""
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        ramp = np.linspace(0, 255, 6).astype(np.uint8)
        colors = np.stack(np.meshgrid(*[ramp] * Image.getmodebands(mode)), -1).reshape(6, -1)
        size = colors.size // 6 // Image.getmodebands(mode), 6
        probe = Image.frombytes(mode, size, colors.tobytes())
        converted = np.asarray(ImageCms.applyTransform(probe, transform), np.int16)
    except Exception:  # the profile is damaged or for another mode
        return None
    change = np.abs(converted - np.asarray(probe.convert("RGB"))).max()
    return transform if change > SRGB_TOLERANCE else None


def from_array(array: npt.NDArray[Any]) -> Pixels:
    """Convert an array, as `open_picture` does.

    Args:
        array: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of uint8, uint16, or floats in
            0..1.

    Returns:
        (H, W, 3) uint8, RGB. An array in this form is not copied.

    Raises:
        PictureError: the array has another shape, type or range.
    """
    from PIL import Image

    shape, kind = array.shape, array.dtype
    if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise PictureError(
            f"expected an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {shape}"
            + for_shape(shape)
        )
    if kind.kind == "f":
        low, high = array.min(), array.max()
        if not (low >= -1e-3 and high <= 1 + 1e-3):  # also for NaN
            raise PictureError(
                f"expected a {kind} array with values in 0..1, got {low:g}..{high:g}"
                + for_range(low, high)
            )
    elif kind.newbyteorder("=") not in (np.uint8, np.uint16):
        expected = f"expected an array of uint8, uint16 or floats in 0..1, got {kind}"
        raise PictureError(expected + for_type(array))
    pixels = _to_8_bits(array, float(array.max()))
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return np.asarray(_flatten(Image.fromarray(pixels)))
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels)


def _to_8_bits(values: npt.NDArray[Any], top: float) -> npt.NDArray[np.uint8]:
    """Convert any depth to 8 bits; of 16 bits the upper 8 are kept, as Pillow does for RGB.

    Args:
        values: of the picture or a part of it.
        top: the largest value of the picture; the range of floats and of 32-bit integers follows
            from it.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.newbyteorder("=") == np.uint16:
        return (values >> 8).astype(np.uint8)
    values = np.maximum(values, 0)
    if values.dtype.kind in "iu":
        return (values >> 8 if top > 255 else values).astype(np.uint8)
    values = values.astype(np.float32)
    scale = 255.0 if top <= 1.001 else 1.0 if top <= 255 else 1 / 257
    return np.minimum(np.rint(values * scale), 255).astype(np.uint8)


def _checked_top(values: npt.NDArray[Any]) -> float:
    """The largest of some values.

    Raises:
        PictureError: a value is not finite or above 65535.
    """
    top = float(values.max())
    if not (np.isfinite(values).all() and top <= 65535):
        raise PictureError(f"expected pixel values of at most 65535, got {top:g}")
    return top
