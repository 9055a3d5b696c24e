"""What may stand for a picture: a path, bytes, a file, an image, an array, a tensor; or a pair."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from facegauge.errors import ArgumentTypeError, PictureError
from facegauge.images.remedies import is_text

if TYPE_CHECKING:
    from PIL import Image

    class Tensor(Protocol):
        """What is needed of a torch tensor; torch is not imported for it."""

        def detach(self) -> Any: ...
        def cpu(self) -> Any: ...

    Picture: TypeAlias = (
        str | os.PathLike[str] | bytes | BinaryIO | Image.Image | npt.NDArray[Any] | Tensor
    )
    """A path, the bytes of a picture file, an open binary file, a PIL image, an array (H, W, 3) or
    another that `open_picture` takes, or a torch tensor (3, H, W) or (H, W, 3)."""

    Source: TypeAlias = Picture | tuple[str, Picture]
    """A picture, or a pair of a name and a picture: the name is the `path` of its result."""

EXPECTED = (
    "a path, the bytes of a picture file, an open binary file, a PIL image, a numpy array, "
    "a torch tensor, or a pair (name, picture)"
)
PATHS = "expected paths of pictures or folders"
IN_MEMORY = "; for pictures in memory use score"
CHANNELS = (1, 3, 4)


def named(source: Source, place: int = 0) -> tuple[str, Picture]:
    """A source's name and its picture.

    Args:
        source: a picture, or a pair (name, picture).
        place: number of the source in its list.

    Returns:
        The name of a pair, or the path as text, or "<image 0>" with the place as the number.
    """
    picture: Any = source
    if is_pair(source):
        return source
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source), source
    return f"<image {place}>", picture


def is_pair(source: object) -> TypeGuard[tuple[str, Any]]:
    """Whether this is a pair (name, picture)."""
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str)


def is_picture(source: object) -> bool:
    """Whether this is of a type that one picture has; it need not be readable.

    Arrays and tensors of four dimensions, and arrays of texts or objects, are several pictures.
    """
    if isinstance(source, str | bytes | bytearray | memoryview | os.PathLike):
        return True
    if isinstance(source, np.ndarray):
        return source.ndim < 4 and source.dtype.kind not in "OSU"
    if is_tensor(source):
        return int(source.ndim) < 4
    pillow = sys.modules.get("PIL.Image")  # without it there is no such image
    return hasattr(source, "read") or (pillow is not None and isinstance(source, pillow.Image))


def check_source(source: Source) -> None:
    """Refuse what cannot be one picture, such as a number or a list.

    Raises:
        ArgumentTypeError: says what was expected.
    """
    picture = source[1] if is_pair(source) else source
    remedy = ""
    if is_text(picture):
        remedy = "; open the file in binary mode, 'rb'"
    elif is_picture(picture):
        return
    elif hasattr(source, "collect"):  # a LazyFrame of polars
        remedy = "; collect() it, and give one of its columns"
    elif isinstance(source, Iterable):
        remedy = "; for several pictures use score_iter"
    raise ArgumentTypeError(f"expected one picture ({EXPECTED}), got {described(source)}{remedy}")


def check_sources(sources: Iterable[Source]) -> None:
    """Refuse what cannot be a list of pictures, such as a single one.

    Raises:
        ArgumentTypeError: says what was expected.
    """
    if isinstance(sources, str | bytes | os.PathLike):
        raise ArgumentTypeError(f"expected a list of pictures, got the one path {sources!r}")
    if is_picture(sources):
        remedy = "; for one picture use score"
    elif is_frame(sources):
        remedy = "; give one of its columns, such as frame['path']"
    elif isinstance(sources, Mapping):
        remedy = "; give its items(), pairs of a name and a picture, or its values()"
    elif not isinstance(sources, Iterable):
        remedy = ""
    else:
        return
    raise ArgumentTypeError(f"expected a list of pictures, got {described(sources)}{remedy}")


def is_frame(source: object) -> bool:
    """Whether this is a table of pandas or polars, which iterates over its columns."""
    return hasattr(source, "columns") and hasattr(source, "shape")


def is_tensor(source: object) -> TypeGuard[Any]:
    """Whether this is a torch tensor; torch is not imported for it."""
    torch = sys.modules.get("torch")  # without it there is no tensor
    kind = getattr(torch, "Tensor", None)
    return kind is not None and isinstance(source, kind)


def from_tensor(tensor: Any) -> npt.NDArray[Any]:
    """A torch tensor as an array (H, W) or (H, W, C), as `pixels.from_array` takes it.

    Args:
        tensor: (C, H, W), (H, W, C) or (H, W), on any device, C = 1, 3 or 4; uint8, or floats in
            0..1. A first dimension of 1, 3 or 4 is taken for the channels.

    Raises:
        PictureError: another shape, or a tensor that cannot be read.
    """
    shape = tuple(tensor.shape)
    if len(shape) != 2 and not (len(shape) == 3 and {shape[0], shape[2]} & set(CHANNELS)):
        raise PictureError(f"expected a tensor (3, H, W), (H, W, 3) or (H, W), got {shape}")
    try:
        tensor = tensor.detach().cpu()
        array = np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
    except Exception as error:  # sparse and quantised ones
        raise PictureError(f"cannot read the tensor: {' '.join(str(error).split())}") from error
    return array.transpose(1, 2, 0) if array.ndim == 3 and shape[0] in CHANNELS else array


def paths_of(paths: object) -> Iterator[str | os.PathLike[str]]:
    """One path, or several, as an iterator.

    Raises:
        ArgumentTypeError: neither a path nor an iterable of paths; says what was expected. What
            is in an iterable is looked at as it comes.
    """
    if isinstance(paths, str | os.PathLike):
        return iter([paths])
    if is_frame(paths):
        remedy = "; give one of its columns, such as frame['path']"
    elif isinstance(paths, Mapping):
        remedy = "; give its values()"
    elif is_picture(paths):
        remedy = IN_MEMORY
    elif not isinstance(paths, Iterable):
        remedy = ""
    else:
        return map(_path, paths)
    raise ArgumentTypeError(f"{PATHS}, got {described(paths)}{remedy}")


def _path(path: object) -> str | os.PathLike[str]:
    if isinstance(path, str | os.PathLike):
        return path
    remedy = IN_MEMORY if is_picture(path) else ""
    raise ArgumentTypeError(f"{PATHS}, got {described(path)} among them{remedy}")


def described(source: object) -> str:
    """What something is, for a message: its type, and the value or shape where it is short."""
    if isinstance(source, np.ndarray) or is_tensor(source):
        kind = "an array" if isinstance(source, np.ndarray) else "a tensor"
        return f"{kind} of shape {tuple(source.shape)}"
    kind = type(source).__name__
    return f"{source!r} ({kind})" if isinstance(source, int | float) else kind
