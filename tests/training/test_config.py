"""The engine of the settings: strict types, errors of one line, files, overrides."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from facegauge.errors import UsageError
from facegauge.training.config import (
    apply_overrides,
    changed,
    config_class,
    from_dict,
    load_config,
    load_preset,
    resolve,
    setting,
    table,
    to_dict,
    to_toml,
)


@table
class Fit:
    RENAMED: ClassVar[dict[str, str]] = {"average": "ema_decay"}
    RENAMED_VALUES: ClassVar[dict[str, dict[str, str]]] = {"precision": {"no": "fp32"}}

    lr: Annotated[float, Field(gt=0)] = setting("rate")
    steps: Annotated[int, Field(ge=0)] = setting("steps", default=900)
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = setting("decay", default=0.0)
    precision: Literal["fp32", "bf16"] = setting("precision", default="fp32")

    def __post_init__(self) -> None:
        if self.steps == 13:
            raise ValueError("13 steps bring bad luck")


@table
class Toy:
    method: ClassVar[str] = "toy"
    RENAMED: ClassVar[dict[str, str]] = {"learning": "fit"}

    seed: int = setting("seed", default=1)
    flip: bool = setting("flip", default=False)
    note: str = setting("note", default="")
    share: Annotated[float, Field(ge=0, le=1)] = setting("share", default=0.5)
    pairs: tuple[tuple[str, str], ...] = setting("pairs", default=())
    size: tuple[int, int] = setting("size", default=(3, 4))
    fit: Fit = setting("fit", default=Fit(lr=5e-4))
    parts: dict[str, Fit] = setting("parts", default={})
    extra: Fit | None = setting("extra", default=None)


BASE = Toy(parts={"one": Fit(lr=0.1), "two": Fit(lr=0.2)})


def test_overrides_are_toml_and_fit_the_fields_type() -> None:
    pairs = ["seed=7", "flip=true", "fit.lr=1", "fit.precision=bf16", 'pairs=[["c", "d"]]',
             "parts.two.steps=5", "note=plain words", "size=[1, 2]", "extra.lr=2"]  # fmt: skip
    got = apply_overrides(BASE, pairs)
    assert (got.seed, got.flip, got.fit.lr, got.fit.precision) == (7, True, 1.0, "bf16")
    assert (got.pairs, got.size, got.note) == ((("c", "d"),), (1, 2), "plain words")
    assert got.parts["two"].steps == 5 and got.parts["one"] == BASE.parts["one"]
    assert got.extra == Fit(lr=2) and isinstance(got.fit.lr, float)
    assert BASE.seed == 1 and BASE.fit.lr == 5e-4
    assert apply_overrides(BASE, ['note="a = b"', "fit.lr=1e-3"]).note == "a = b"
    assert apply_overrides(BASE, ["note=2024"]).note == "2024"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("fit.stesp=3", "unknown setting 'fit.stesp'; the closest is fit.steps"),
        ("share_=3", "unknown setting 'share_'; the closest is share"),
        ("lr=3", "unknown setting 'lr'; the closest is fit.lr, parts.one.lr, parts.two.lr or .*"),
        ("parts.on.lr=3", "unknown setting 'parts.on.lr'; the closest is parts.one.lr"),
        ("fit=3", "fit is a table; set one of fit.lr, fit.steps, fit.ema_decay, fit.precision"),
        ("seed.x=3", "unknown setting 'seed.x'; .*"),
        ("fit.average=0.5", "unknown setting 'fit.average': it is now 'fit.ema_decay'"),
        ("learning.average=1", "unknown setting 'learning.average': it is now 'fit.ema_decay'"),
        ("parts.one.average=1", r"unknown .*: it is now 'parts.one.ema_decay'"),
        ("seed", "--set expects key=value, got 'seed'"),
        ("seed=1.5", "seed: expected a whole number, got 1.5"),
        ('seed="3"', "seed: expected a whole number, got '3'"),
        ("seed=true", "seed: expected a whole number, got True"),
        ("flip=1", "flip: expected true or false, got 1"),
        ("share=true", "share: expected a number from 0 to 1, got True"),
        ("share=7", "share: expected a number from 0 to 1, got 7"),
        ("share=nan", "share: expected a number from 0 to 1, got nan"),
        ("share=a third", "share: expected a number from 0 to 1, got 'a third'"),
        ("fit.lr=0", "fit.lr: expected a number above 0, got 0"),
        ("fit.steps=-3", "fit.steps: expected a whole number, 0 or more, got -3"),
        ("parts.one.ema_decay=1", "parts.one.ema_decay: expected a number, 0 .* below 1, got 1"),
        ("fit.precision=3", "fit.precision: expected fp32 or bf16, got '3'"),
        ("fit.precision=no", "fit.precision: 'no' is now 'fp32'"),
        ("fit.steps=13", "fit: 13 steps bring bad luck"),
        ("pairs=a", "pairs: expected a list of lists of 2 texts, got 'a'"),
        ('pairs=[["a"]]', r"pairs: expected a list of lists of 2 texts, got \[\['a'\]\]"),
        ("size=[1, 2, 3]", r"size: expected a list of 2 whole numbers, got \[1, 2, 3\]"),
        ("extra.steps=3", "extra.lr is missing; expected a number above 0"),
    ],
)
def test_wrong_overrides_say_in_one_line_what_to_write(pair: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        apply_overrides(BASE, [pair])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": 2, "sede": 3}, "unknown setting 'sede'; the closest is seed"),
        ({"fit": {"stesp": 3}}, "unknown setting 'fit.stesp'; the closest is fit.steps"),
        ({"fit": {}}, "fit.lr is missing; expected a number above 0"),
        ({"fit": 3}, "fit: expected a table, got 3"),
        ({"parts": 3}, "parts: expected a table, got 3"),
        ({"parts": {"one": {"lr": "x"}}}, "parts.one.lr: expected a number above 0, got 'x'"),
    ],
)
def test_wrong_tables_say_the_same(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        from_dict(Toy, wrong)


def test_what_python_builds_is_checked_alike() -> None:
    with pytest.raises(UsageError, match=r"^steps: expected a whole number, 0 or more, got -1$"):
        Fit(lr=1, steps=-1)
    with pytest.raises(UsageError, match=r"^13 steps bring bad luck$"):
        replace(BASE.fit, steps=13)
    with pytest.raises(UsageError, match=r"^unknown setting 'lrr'; the closest is lr$"):
        Fit(lrr=1)  # type: ignore[call-arg]
    with pytest.raises(FrozenInstanceError):
        BASE.seed = 2  # type: ignore[misc]


def test_overrides_are_checked_together() -> None:
    """13 steps are refused only if they stay."""
    assert apply_overrides(BASE, ["fit.steps=13", "fit.steps=14"]).fit.steps == 14


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    changes = ["extra.lr=2", 'pairs=[["a, [1]", "b"], ["c", "d"]]', "fit.lr=0.00012345678"]
    config = apply_overrides(BASE, [*changes, "note=[1,\n 2]"])
    file = tmp_path / "config.toml"
    file.write_text(to_toml(config))
    assert load_config(file, Toy) == config
    assert 'method = "toy"' in file.read_text() and "size = [3, 4]\n" in file.read_text()
    assert from_dict(Toy, to_dict(config)) == config
    assert changed(BASE, config) == [
        "note: '' -> '[1,\\n 2]'",
        "pairs: [] -> [['a, [1]', 'b'], ['c', 'd']]",
        "fit.lr: 0.0005 -> 0.00012345678",
        *(f"extra.{name}: None -> {value!r}" for name, value in to_dict(Fit(lr=2)).items()),
    ]


def test_a_file_may_hold_what_differs_from_a_preset(tmp_path: Path) -> None:
    presets = tmp_path / "toy.toml"
    presets.write_text("[cpu]\nseed = 5\n[cpu.parts.one]\nlr = 1\n[big]\nseed = 6\n")
    file = tmp_path / "mine.toml"
    file.write_text('preset = "cpu"\nflip = true\n[parts.one]\nsteps = 3\n[parts.two]\nlr = 2.0\n')
    got = load_config(file, Toy, presets)
    assert (got.seed, got.flip) == (5, True)
    assert got.parts == {"one": Fit(lr=1, steps=3), "two": Fit(lr=2)}
    assert resolve(Toy, file=file, presets=presets, overrides=["seed=8"]).seed == 8
    assert resolve(Toy, presets=presets).seed == 5
    assert resolve(Toy, preset="big", presets=presets).seed == 6
    with pytest.raises(UsageError, match="--preset or --config"):
        resolve(Toy, preset="big", file=file)
    file.write_text("seed = 3")
    assert load_config(file, Toy) == Toy(seed=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = x", "cannot read the settings in .*mine.toml: Invalid value"),
        ("seed = 3", 'mine.toml names no method; expected a line like method = "mspt"'),
        ('method = "tyo"', "there is no method 'tyo'; expected .*light_ensemble"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(file)


def test_a_files_errors_name_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 3.5")
    with pytest.raises(UsageError, match=r"mine.toml: seed: expected a whole number, got 3.5$"):
        load_config(file, Toy)
    file.write_text('method = "mspt"')
    with pytest.raises(UsageError, match=r"mine.toml has settings of the method mspt, .* toy$"):
        load_config(file, Toy)
    with pytest.raises(UsageError, match=r"cannot read the settings in .*none.toml"):
        load_config(tmp_path / "none.toml", Toy)


def test_a_resumed_run_keeps_its_settings(tmp_path: Path) -> None:
    presets = tmp_path / "toy.toml"
    presets.write_text("[cpu]\nseed = 5\n")
    (tmp_path / "config.toml").write_text(to_toml(Toy(seed=9)))
    assert resolve(Toy, resumed=tmp_path, presets=presets).seed == 9
    changed = resolve(Toy, resumed=tmp_path, overrides=["flip=true"], presets=presets)
    assert changed.seed == 9 and changed.flip
    assert resolve(Toy, resumed=tmp_path, preset="cpu", presets=presets).seed == 5
    assert resolve(Toy, resumed=tmp_path / "none", presets=presets).seed == 5


def test_unknown_methods_and_presets_are_named() -> None:
    with pytest.raises(UsageError, match=r"no method 'light_ensembel'; .*light_ensemble"):
        load_preset("light_ensembel", "cpu")
    with pytest.raises(UsageError, match="there is no method 'tyo'"):
        config_class("tyo")
