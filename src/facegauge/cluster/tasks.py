"""What is done with each picture on a cluster: it is scored, or labelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from facegauge import zoo
from facegauge.cluster.blocks import Item
from facegauge.errors import ScorerError
from facegauge.labelling.label_table import COLUMNS, Label, label_row
from facegauge.results import ImageScore, Status
from facegauge.schema import Schema
from facegauge.scorer import Scorer
from facegauge.tables.formats import Row


class Task(Protocol):
    """What is done with each picture; can be pickled.

    Attributes:
        key: the column that names a row's picture.
        schema: the columns of the rows.
        settings: what the rows depend on, as JSON types.
    """

    key: str
    schema: Schema
    settings: dict[str, Any]

    def check(self) -> None:
        """Refuse a machine that would give other rows.

        Raises:
            ScorerError: the scorer is missing there, or another one.
        """

    def __call__(self, item: Item) -> list[Row]:
        """The rows of a picture, one or more."""

    def failed(self, name: str, status: Status, why: str) -> list[Row]:
        """The rows of a picture that could not be opened."""


class ScoreTask:
    """Scores pictures, with the rows of `facegauge score`.

    Args:
        scorer: a shipped scorer's name, or a scorer folder that every machine has in that place.
        options: of `Scorer`.

    Raises:
        UsageError: an option that cannot be.
        ScorerError: no such scorer, or it is damaged.
    """

    key = "path"

    def __init__(self, scorer: str, **options: Any) -> None:
        shipped = scorer in zoo.names()
        self._scorer = scorer if shipped else os.path.abspath(scorer)  # noqa: PTH100
        self._options = {**options, "threads": 1}
        self._opened: Scorer | None = self._open()
        self.schema, self.settings = self._opened.schema, self._opened.settings

    def check(self) -> None:
        ours, theirs = _version(), self.settings["facegauge"]
        if ours != theirs:
            raise ScorerError(
                f"a machine of the cluster has facegauge {ours}, the driver has {theirs}: install "
                "the same on both"
            )
        card = zoo.load_card(zoo.open_folder(self._scorer))
        here = {"sha256": card.fingerprint, "calibration": card.calibration.digest}
        for name, found in here.items():
            if found != (other := self.settings[name]):
                raise ScorerError(
                    f"the scorer {self._scorer} of this machine has the {name} {found:.12}..., "
                    f"that of the driver {other:.12}...: install the same facegauge on both"
                )

    def __call__(self, item: Item) -> list[Row]:
        if self._opened is None:
            self._opened = self._open()
        source: Any = item.source
        return self._opened.score((item.name, source)).rows(self.schema)

    def failed(self, name: str, status: Status, why: str) -> list[Row]:
        return ImageScore(name, status, (), why).rows(self.schema)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def _open(self) -> Scorer:
        return Scorer(self._scorer, **self._options)


class LabelTask:
    """Labels pictures, with the rows of `facegauge label`.

    Args:
        labeller: labels named pictures; its teacher lies in the same place on every machine.
        scorer: the teacher's name.
        settings: of the table of labels.
    """

    key, schema = "image", COLUMNS

    def __init__(
        self,
        labeller: Callable[[Iterable[Any]], Iterator[Label]],
        scorer: str,
        settings: dict[str, Any],
    ) -> None:
        self._labeller, self._scorer, self.settings = labeller, scorer, settings

    def check(self) -> None:
        pass  # its predictor is sent with it, and verifies its weights when they are opened

    def __call__(self, item: Item) -> list[Row]:
        label = next(self._labeller([(item.name, item.source)]))
        return [label_row(item.name, label, self._scorer)]

    def failed(self, name: str, status: Status, why: str) -> list[Row]:
        return [label_row(name, Label(Path(name), status, message=why), self._scorer)]


@cache
def _version() -> str:
    from facegauge import __version__

    return __version__
