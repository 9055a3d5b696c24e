"""What PyInstaller asks for when it bundles a program that imports facegauge."""

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """The folder of the hook; the entry point `hook-dirs` of the group `pyinstaller40`."""
    return [str(Path(__file__).parent)]
