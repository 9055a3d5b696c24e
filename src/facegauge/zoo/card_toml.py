"""The TOML form of cards, whose keys are checked on reading."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from facegauge.attribution import Attribution, Curve
from facegauge.calibration import Calibration, Offsets, ScoreMap
from facegauge.errors import ScorerError
from facegauge.zoo.cards import Accept, Card, Cost, Data, Figure, Validation

Numbers = tuple[float, ...]

OPTIONAL = ("version", "same_as", "fairness")  # keys that a card may lack


def card_from_toml(text: str, file: str = "card.toml") -> Card:
    """Parse a card.

    Args:
        text: TOML.
        file: name of the file, for error messages.

    Raises:
        ScorerError: the text is not TOML, or a key is missing or not valid; the message gives the
            file, the key and the expected value.
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
        photos=_validation(card.table("photos")) if "photos" in card.values else None,
        version=card.text("version", ""),
        same_as=same_as,
        attribution=_attribution(card.table("factors")) if "factors" in card.values else None,
        map=_score_map(card.table("map")) if "map" in card.values else None,
        accept=_accept(card.table("accept")) if "accept" in card.values else None,
        fairness=card.text("fairness", ""),
    )


def _check_digests(file: str, **digests: Sequence[str]) -> None:
    for key, found in digests.items():
        for digest in found:
            if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                raise ScorerError(f"{file}: expected 64 hex digits at {key}, got {digest!r}")


def _score_map(table: _Table) -> ScoreMap:
    try:
        return ScoreMap(table.text("kind"), table.numbers("knots"), table.numbers("values"))
    except ValueError as error:
        raise ScorerError(f"{table.file}: at map: {error}") from error


def _accept(table: _Table) -> Accept:
    return Accept(table.number("rate"), table.number("score"), table.count("n"))


def _validation(val: _Table) -> Validation:
    figures = {}
    for key in ("srcc", "plcc", *(key for key in val.values if key not in ("n", "label"))):
        figure = val.table(key)
        figures[key] = Figure(figure.number("value"), figure.number("low"), figure.number("high"))
    return Validation(val.count("n"), val.text("label"), figures)


def _calibration(calibration: _Table) -> Calibration:
    reference, interval = calibration.table("reference"), calibration.table("interval")
    whole = calibration.table("whole") if "whole" in calibration.values else None
    try:
        return Calibration(
            reference=reference.text("name"),
            n=reference.count("n"),
            quantiles=calibration.numbers("quantiles"),
            offsets=_offsets(interval),
            whole=_offsets(whole) if whole else None,
            level=interval.number("level"),
        )
    except ValueError as error:
        raise ScorerError(f"{calibration.file}: at {calibration.prefix[:-1]}: {error}") from error


def _attribution(factors: _Table) -> Attribution:
    curves = {}
    for name in factors.table("curves").values:
        curve = factors.table("curves").table(name)
        try:
            curves[name] = Curve(curve.numbers("knots"), curve.numbers("values"))
        except ValueError as error:
            raise ScorerError(f"{factors.file}: at factors.curves.{name}: {error}") from error
    r2 = factors.table("r2")
    explained = (r2.number("value"), r2.number("low"), r2.number("high"))
    return Attribution(factors.count("n"), *explained, factors.number("mean"), curves)


def _offsets(interval: _Table) -> Offsets:
    sides = interval.numbers("lower"), interval.numbers("upper")
    if "edges" in interval.values:  # a card of facegauge 0.2 or earlier: steps
        return Offsets(*_as_knots(interval.numbers("edges"), *sides))
    return Offsets(interval.numbers("knots"), *sides)


def _as_knots(edges: Numbers, *offsets: Numbers) -> tuple[Numbers, ...]:
    """Offsets that step at each edge as offsets at knots just below and at the edge.

    Raises:
        ValueError: there is not one more offset than edges.
    """
    if any(len(side) != len(edges) + 1 for side in offsets):
        raise ValueError(f"expected {len(edges) + 1} lower and upper offsets, one per bin")
    if not edges:
        return (0.0,), *offsets
    knots = tuple(knot for edge in edges for knot in (math.nextafter(edge, -1), edge))
    return knots, *(tuple(np.repeat(side, 2)[1:-1].tolist()) for side in offsets)


class _Table:
    """A TOML table with typed access to its keys; a key without a default is required.

    Args:
        values: the parsed table.
        file: name of the file, for error messages.
        prefix: dotted key of the table, with a dot at the end; empty for the top level.
    """

    def __init__(self, values: dict[str, Any], file: str, prefix: str = "") -> None:
        self.values, self.file, self.prefix = values, file, prefix

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
        return _Table(self._get(key, "a table", dict), self.file, f"{self.prefix}{key}.")

    def _get(self, key: str, expected: str, *kinds: type) -> Any:
        value = self.values.get(key)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self._unexpected(key, expected, value)
        return value

    def _unexpected(self, key: str, expected: str, value: object) -> ScorerError:
        got = "nothing" if value is None else repr(value)[:80]
        return ScorerError(f"{self.file}: expected {expected} at {self.prefix}{key}, got {got}")


def card_to_toml(card: Card) -> str:
    """Format a card as TOML text; `card_from_toml` returns an equal card."""
    calibration = card.calibration
    keys = ("name", "version", "system", "summary", "licence", "sha256", "same_as", "fairness")
    top = {key: getattr(card, key) for key in keys}
    tables: dict[str, dict[str, Any]] = {
        "cost": {key: getattr(card.cost, key) for key in ("parameters_m", "gflops", "input")},
        "data": {key: getattr(card.data, key) for key in ("trained_on", "command", "commit")},
        "val": _figures(card.val),
        **({"photos": _figures(card.photos)} if card.photos else {}),
        **({"map": asdict(card.map)} if card.map else {}),
        **({"accept": asdict(card.accept)} if card.accept else {}),
        "calibration": {
            "reference": {"name": calibration.reference, "n": calibration.n},
            "quantiles": calibration.quantiles,
            "interval": {"level": calibration.level, **_knots(calibration.offsets)},
            **({"whole": _knots(calibration.whole)} if calibration.whole else {}),
        },
    }
    if model := card.attribution:
        tables["factors"] = {
            "n": model.n,
            "r2": {"value": model.r2, "low": model.low, "high": model.high},
            "mean": model.mean,
        }
        tables["factors.curves"] = {
            name: {"knots": curve.knots, "values": curve.values}
            for name, curve in model.curves.items()
        }
    top = {key: value for key, value in top.items() if value or key not in OPTIONAL}
    parts = [_lines(top), *(f"[{name}]\n{_lines(table)}" for name, table in tables.items())]
    return "\n".join(parts)


def _knots(offsets: Offsets) -> dict[str, Any]:
    return {key: getattr(offsets, key) for key in ("knots", "lower", "upper")}


def _figures(measured: Validation) -> dict[str, Any]:
    """The table of a validation."""
    figures = {
        name: {"value": figure.value, "low": figure.low, "high": figure.high}
        for name, figure in measured.figures.items()
    }
    return {"n": measured.n, "label": measured.label, **figures}


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
