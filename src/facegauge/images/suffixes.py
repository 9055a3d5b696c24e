"""What file names and folder names tell: pictures, camera raw files, files of programs."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx"),
    *(".psd", ".tga", ".qoi", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""File name suffixes of pictures in folders, compared without case."""

RAW = (
    *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".sr2", ".srf", ".orf", ".rw2"),
    *(".raw", ".rwl", ".raf", ".pef", ".srw", ".3fr", ".fff", ".iiq", ".x3f", ".dcr", ".kdc"),
    *(".erf", ".mef", ".mos", ".mrw", ".gpr"),
)
WHAT = {  # suffixes of files that a person may take for pictures
    **dict.fromkeys(RAW, "camera raw"),
    ".jxl": "JPEG XL",
    **dict.fromkeys((".eps", ".ps", ".ai", ".svg", ".svgz"), "drawing"),
    ".pdf": "document",
    **dict.fromkeys((".ico", ".icns", ".cur"), "icon"),
    ".exr": "OpenEXR",
    ".xcf": "GIMP",
    **dict.fromkeys((".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".mts"), "video"),
}
OTHER = frozenset(
    (
        *WHAT,
        *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml"),
        *(".toml", ".ini", ".cfg", ".log", ".html", ".htm", ".css", ".js", ".ts", ".py", ".ipynb"),
        *(".sh", ".bat", ".c", ".h", ".cpp", ".java", ".zip", ".gz", ".tar", ".tgz", ".xz", ".7z"),
        *(".rar", ".bz2", ".zst", ".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm", ".lrcat"),
        *(".xmp", ".aae", ".thm", ".lrv", ".pp3", ".dop", ".on1", ".cos", ".mp3", ".m4a", ".wav"),
        *(".flac", ".ogg", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods"),
        *(".parquet", ".arrow", ".npy", ".npz", ".mat", ".h5", ".hdf5", ".pkl", ".pt", ".pth"),
        *(".onnx", ".safetensors", ".exe", ".dll", ".so", ".pyc", ".lnk", ".url", ".part"),
    )
)
"""Suffixes of files that are not opened to find out what they are; many hold pictures' data."""

SYSTEM_FOLDERS = (
    # network storage: thumbnails, deleted files, snapshots
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "@sharebin"),
    *("appdata_oc*", "files_trashbin", "files_versions"),  # Nextcloud
    # Windows, macOS, Linux
    *("$recycle.bin", "recycler", "system volume information", "__macosx", "lost+found"),
    # Lightroom's previews
    *("*.lrdata", "*.lrcat-data"),
)
LIBRARIES = ("*.photoslibrary", "*.photolibrary", "*.aplibrary", "*.migratedphotolibrary")
ORIGINALS = ("originals", "masters")


def suffix_of(name: str) -> str:
    """The suffix of a file name, in lower case; empty if it has none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if stem and dot else ""


def is_system_folder(name: str, parent: str) -> bool:
    """Whether a folder belongs to a program: thumbnails, deleted files, previews, snapshots.

    Args:
        name: of the folder.
        parent: name of the folder that it is in; in a photo library of macOS only the originals
            are a person's pictures.
    """
    name, parent = name.lower(), parent.lower()
    if any(fnmatchcase(parent, library) for library in LIBRARIES):
        return name not in ORIGINALS
    return any(fnmatchcase(name, pattern) for pattern in SYSTEM_FOLDERS)


def in_words(left_out: Counter[str], most: int = 6) -> str:
    """What `find_pictures` left out, in one line; empty if it left out nothing.

    Args:
        left_out: counts by suffix, "" for files without one; folders' names end in "/".
        most: suffixes and folders that are named at most.
    """
    files = Counter({name: n for name, n in left_out.items() if not name.endswith("/")})
    folders = Counter({name: n for name, n in left_out.items() if name.endswith("/")})
    parts = []
    if files:
        counts = sorted(files.items(), key=lambda item: (item[0] not in WHAT, -item[1], item[0]))
        named = [f"{n} {_kind(suffix)}" for suffix, n in counts[:most]]
        rest = sum(n for _, n in counts[most:])
        shown = ", ".join([*named, *([f"{rest} others"] if rest else [])])
        parts.append(f"{_number(files.total(), 'file')} left out: {shown}")
    if folders:
        names = [name[:-1] for name in sorted(folders)]
        shown = ", ".join([*names[:most], *(["..."] if len(names) > most else [])])
        parts.append(f"{_number(folders.total(), 'system folder')} left out: {shown}")
    return "; ".join(parts)


def _kind(suffix: str) -> str:
    what = WHAT.get(suffix)
    return (suffix or "without a suffix") + (f" ({what})" if what else "")


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
