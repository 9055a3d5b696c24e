"""Converts decoded images and arrays to upright 8-bit sRGB pixels."""

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
"""Colour behind transparent parts: white, as on most web pages."""

STRIP = 64  # rows that are copied at a time
SRGB_TOLERANCE = 2  # grey levels; a profile that changes colours less is treated as sRGB


def from_image(image: Image.Image) -> Pixels:
    """Convert a PIL image, as `open_picture` does. The image is not modified.

    Args:
        image: of any mode.

    Returns:
        (H, W, 3) uint8, RGB, upright.

    Raises:
        PictureError: pixel values are not finite or above 65535.
    """
    from PIL import Image

    image.load()
    transpose, profile = _exif_transpose(image), image.info.get("icc_profile")
    if image.mode[0] in "IF":  # I, I;16, I;16B, F
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    elif image.has_transparency_data:
        flat = _flatten(image.convert("RGBA"))
        image = flat.convert("L") if image.mode in ("L", "LA") else flat
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        image = _to_srgb(image, profile)
    image = image.convert("RGB") if image.mode != "RGB" else image
    return _to_array(image.transpose(transpose) if transpose is not None else image)


def from_decoded(pixels: Pixels, image: Image.Image) -> Pixels:
    """Finish pixels that another decoder made of a file: turned upright, in sRGB.

    Args:
        pixels: (H, W, 3) or (H, W, 1) uint8, as stored in the file.
        image: the file's header, with EXIF and colour profile; not decoded.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    from PIL import Image

    profile = image.info.get("icc_profile")
    if profile:
        decoded = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
        pixels = np.asarray(_to_srgb(decoded, profile).convert("RGB"))
    elif pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    turned = _transposed(pixels, _exif_transpose(image))
    return np.ascontiguousarray(turned)


def _transposed(pixels: Pixels, how: Image.Transpose | None) -> Pixels:
    """An array turned as `Image.transpose` turns an image."""
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


def _to_array(image: Image.Image) -> Pixels:
    """Copy the pixels of an RGB image, strip by strip.

    Pillow makes two temporary copies of what it converts. For a whole photo, allocating that
    memory takes longer than filling it.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


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

    # grey pictures may have a grey or an RGB profile
    modes = ("L", "RGB") if image.mode == "L" else (image.mode,)
    for mode in modes:
        transform = _transform(profile, mode)
        if transform is not None:
            return ImageCms.applyTransform(image.convert(mode), transform) or image
    return image


@lru_cache(maxsize=16)
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
        )
    if kind.kind == "f":
        if not (array.min() >= -1e-3 and array.max() <= 1 + 1e-3):  # also for NaN
            raise PictureError(
                f"expected a {kind} array with values in 0..1, got {array.min():g}..{array.max():g}"
            )
    elif kind.newbyteorder("=") not in (np.uint8, np.uint16):
        raise PictureError(f"expected an array of uint8, uint16 or floats in 0..1, got {kind}")
    pixels = _to_8_bits(array)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return np.asarray(_flatten(Image.fromarray(pixels)))
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels)


def _to_8_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Convert any depth to 8 bits; of 16 bits the upper 8 are kept, as Pillow does for RGB.

    The range of floats and of 32-bit integers follows from the largest value.
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
