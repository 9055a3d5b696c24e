"""The files of facegauge that are no code, and the modules that are imported by their names.

Scoring, evaluation, data and labelling are bundled. Training is not, since it brings torch, and
neither are the service, reports and the command line; a program that imports them brings them by
that, and `hook-facegauge.cli.py` the verbs.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata

LEFT_OUT = {"nn", "training", "serve", "report", "cli", "_pyinstaller"}


def _wanted(name: str) -> bool:
    return LEFT_OUT.isdisjoint(name.split(".")[1:2])


datas = collect_data_files("facegauge") + copy_metadata("facegauge")
hiddenimports = collect_submodules("facegauge", filter=_wanted)
