"""The verbs of the command line, which are imported by their names."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("facegauge.cli")
