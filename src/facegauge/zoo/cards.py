"""What a scorer's card says, and its TOML: read with every key checked, written by hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegauge.calibration import Calibration
from facegauge.errors import ScorerError

OPTIONAL = ("version", "same_as")  # keys that cards of facegauge 0.1 do not have


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What one face costs: parameters in millions, GFLOPs with every view counted, input size."""

    parameters_m: float
    gflops: float
    input: str


@dataclass(frozen=True, slots=True)
class Data:
    """What the scorer was trained on, and with which command and commit."""

    trained_on: str
    command: str
    commit: str


@dataclass(frozen=True, slots=True)
class Validation:
    """Agreement with `n` labels of the named kind; `figures` has srcc, plcc and maybe more."""

    n: int
    label: str
    figures: Mapping[str, Figure]

    def __post_init__(self) -> None:
        if missing := {"srcc", "plcc"} - self.figures.keys():
            raise ValueError(f"expected the figures srcc and plcc, missing {sorted(missing)}")


@dataclass(frozen=True, slots=True)
class Card:
    """Everything a person should know about a scorer before using it.

    Attributes:
        name: of the scorer; system: the published method it follows.
        summary: a sentence or two for people; licence: in words, of weights and data.
        sha256: of model.onnx, 64 hex digits.
        version: of the scorer, such as "1.0"; empty if it was given none.
        same_as: sha256 of other model files of this scorer whose scores agree within 0.001, so
            that a table begun with one of them can be resumed.
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
    version: str = ""
    same_as: tuple[str, ...] = ()


def card_from_toml(text: str, file: str = "card.toml") -> Card:
    """Read a card.

    Raises:
        ScorerError: names `file`, the key and what was expected there.
    """
    try:
        card = _Table(tomllib.loads(text), file)
    except tomllib.TOMLDecodeError as error:
        raise ScorerError(f"{file} is not valid TOML: {error}") from error
    sha256, same_as = card.text("sha256"), card.texts("same_as", ())
    _check_digests(file, sha256=(sha256,), same_as=same_as)
    cost, data = card.table("cost"), card.table("data")
    return Card(
        name=card.text("name"),
        system=card.text("system"),
        summary=card.text("summary"),
        licence=card.text("licence"),
        sha256=sha256,
        cost=Cost(cost.number("parameters_m"), cost.number("gflops"), cost.text("input")),
        data=Data(data.text("trained_on"), data.text("command"), data.text("commit")),
        val=_validation(card.table("val")),
        calibration=_calibration(card.table("calibration")),
        version=card.text("version", ""),
        same_as=same_as,
    )


def _check_digests(file: str, **digests: Sequence[str]) -> None:
    for key, found in digests.items():
        for digest in found:
            if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                raise ScorerError(f"{file}: expected 64 hex digits at {key}, got {digest!r}")


def _validation(val: _Table) -> Validation:
    figures = {}
    for key in ("srcc", "plcc", *(key for key in val.values if key not in ("n", "label"))):
        figure = val.table(key)
        figures[key] = Figure(figure.number("value"), figure.number("low"), figure.number("high"))
    return Validation(val.count("n"), val.text("label"), figures)


def _calibration(calibration: _Table) -> Calibration:
    reference, interval = calibration.table("reference"), calibration.table("interval")
    try:
        return Calibration(
            reference=reference.text("name"),
            n=reference.count("n"),
            quantiles=calibration.numbers("quantiles"),
            edges=interval.numbers("edges"),
            lower=interval.numbers("lower"),
            upper=interval.numbers("upper"),
            level=interval.number("level"),
        )
    except ValueError as error:
        raise ScorerError(f"{calibration.file}: at {calibration.place[:-1]}: {error}") from error


class _Table:
    """A TOML table whose keys are asked for by type; `place` is its own dotted key and a dot.

    A key that is missing has its `default`; None: it must be there.
    """

    def __init__(self, values: dict[str, Any], file: str, place: str = "") -> None:
        self.values, self.file, self.place = values, file, place

    def text(self, key: str, default: str | None = None) -> str:
        if key not in self.values and default is not None:
            return default
        return str(self._get(key, "text", str))

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        if key not in self.values:
            return default
        values = self._get(key, "a list of texts", list)
        if not all(isinstance(value, str) for value in values):
            raise self._unexpected(key, "a list of texts", values)
        return tuple(values)

    def count(self, key: str) -> int:
        return int(self._get(key, "a whole number", int))

    def number(self, key: str) -> float:
        return float(self._get(key, "a number", int, float))

    def numbers(self, key: str) -> tuple[float, ...]:
        values = self._get(key, "a list of numbers", list)
        if not all(isinstance(value, int | float) for value in values):
            raise self._unexpected(key, "a list of numbers", values)
        return tuple(float(value) for value in values)

    def table(self, key: str) -> _Table:
        return _Table(self._get(key, "a table", dict), self.file, f"{self.place}{key}.")

    def _get(self, key: str, expected: str, *kinds: type) -> Any:
        value = self.values.get(key)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self._unexpected(key, expected, value)
        return value

    def _unexpected(self, key: str, expected: str, value: object) -> ScorerError:
        got = "nothing" if value is None else repr(value)[:80]
        return ScorerError(f"{self.file}: expected {expected} at {self.place}{key}, got {got}")


def card_to_toml(card: Card) -> str:
    """The card as TOML text; `card_from_toml` gives back an equal card."""
    calibration = card.calibration
    keys = ("name", "version", "system", "summary", "licence", "sha256", "same_as")
    top = {key: getattr(card, key) for key in keys}
    tables: dict[str, dict[str, Any]] = {
        "cost": {key: getattr(card.cost, key) for key in ("parameters_m", "gflops", "input")},
        "data": {key: getattr(card.data, key) for key in ("trained_on", "command", "commit")},
        "val": {
            "n": card.val.n,
            "label": card.val.label,
            **{
                name: {"value": figure.value, "low": figure.low, "high": figure.high}
                for name, figure in card.val.figures.items()
            },
        },
        "calibration": {
            "reference": {"name": calibration.reference, "n": calibration.n},
            "quantiles": calibration.quantiles,
            "interval": {
                key: getattr(calibration, key) for key in ("level", "edges", "lower", "upper")
            },
        },
    }
    top = {key: value for key, value in top.items() if value or key not in OPTIONAL}
    parts = [_lines(top), *(f"[{name}]\n{_lines(table)}" for name, table in tables.items())]
    return "\n".join(parts)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: object) -> str:
    """A value of one of the card's types as TOML; table and list in one line."""
    match value:
        case str():
            # JSON's escapes are TOML's, but for DEL; bytes that are no text become "?"
            clean = value.encode("utf-8", "replace").decode("utf-8")
            return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int():
            return repr(int(value))
        case Mapping():
            return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
        case Sequence():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            return repr(float(value))  # type: ignore[arg-type]
