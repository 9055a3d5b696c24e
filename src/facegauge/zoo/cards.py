"""Cards of scorers as data classes; `card_toml` reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facegauge.attribution import Attribution
from facegauge.calibration import Calibration, ScoreMap


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of scoring one face.

    Attributes:
        parameters_m: number of parameters, in millions.
        gflops: 1e9 multiply-adds as counted by fvcore, for all views of a face.
        input: width x height of the network's input, in pixels.
    """

    parameters_m: float
    gflops: float
    input: str


@dataclass(frozen=True, slots=True)
class Data:
    """The training data of a scorer, and the command and commit of its training."""

    trained_on: str
    command: str
    commit: str


@dataclass(frozen=True, slots=True)
class Validation:
    """Agreement with labels of pictures that the scorer was not trained on.

    Attributes:
        n: number of labels.
        label: name of the labels, such as "challenge label".
        figures: metrics by name; `srcc` and `plcc` are required.
    """

    n: int
    label: str
    figures: Mapping[str, Figure]

    def __post_init__(self) -> None:
        if missing := {"srcc", "plcc"} - self.figures.keys():
            raise ValueError(f"expected the figures srcc and plcc, got none for {sorted(missing)}")


@dataclass(frozen=True, slots=True)
class Accept:
    """From which score on a share of some pictures is accepted.

    Attributes:
        rate: the share, 0..1.
        score: the threshold: pictures with this score or more are accepted.
        n: number of these pictures.
    """

    rate: float
    score: float
    n: int


@dataclass(frozen=True, slots=True)
class Card:
    """A scorer's description: what it is, what it costs, and how well it agrees with labels.

    Attributes:
        name: name of the scorer.
        system: the published method that the scorer follows.
        summary: one or two sentences for users.
        licence: licences of the weights and the data, in words.
        sha256: of model.onnx, 64 hex digits.
        cost: parameters, GFLOPs and input size.
        data: training data, command and commit.
        val: agreement with labels.
        calibration: maps a score to an interval and a percentile.
        photos: agreement with labels of photos at their own size, as `auto` reads them; None where
            it was not measured.
        version: of the scorer, such as "1.0"; empty if it has none.
        same_as: sha256 of other model files of this scorer whose scores agree within 0.001, so
            that a table begun with one of them can be resumed.
        attribution: how the scores go with the factors of quality; None where it was not fitted.
        map: from the network's scores to those of the scorer; None: they are the same.
        accept: the score from which on pictures are accepted; None without one.
        fairness: what an audit of groups of people found, in words; empty where there was none.
    """

    name: str
    system: str
    summary: str
    licence: str
    sha256: str
    cost: Cost
    data: Data
    val: Validation
    calibration: Calibration
    photos: Validation | None = None
    version: str = ""
    same_as: tuple[str, ...] = ()
    attribution: Attribution | None = None
    map: ScoreMap | None = None
    accept: Accept | None = None
    fairness: str = ""

    @property
    def fingerprint(self) -> str:
        """64 hex digits that stand for its scores: the model's sha256, or that of model and map."""
        return self.map.fingerprint(self.sha256) if self.map else self.sha256
