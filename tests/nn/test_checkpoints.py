"""Run folders and scorer folders as torch opens them, of this version and of 0.1."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from facegauge import zoo  # noqa: E402
from facegauge.errors import ScorerError, UsageError  # noqa: E402
from facegauge.nn import checkpoints  # noqa: E402
from facegauge.nn.checkpoints import find_run, load_run  # noqa: E402
from facegauge.training.onnx_export import Shipped, write_onnx  # noqa: E402
from facegauge.training.soup import make_soup  # noqa: E402
from facegauge.zoo import card_to_toml  # noqa: E402
from facegauge.zoo.onnx_model import Model  # noqa: E402
from toys import toy_card, toy_model, trainable  # noqa: E402


def write_card(folder):
    (folder / "card.toml").write_text(card_to_toml(toy_card((folder / "model.onnx").read_bytes())))


@pytest.fixture(scope="module")
def exported(toy_run, tmp_path_factory):
    """A scorer folder of one file and its card."""
    run, folder = load_run(toy_run), tmp_path_factory.mktemp("scorer")
    described = {"system": run.system, "network": run.config, "settings": run.settings}
    write_onnx(Shipped(run.network, False), run.spec, folder / "model.onnx", run=described)
    write_card(folder)
    return folder


@pytest.fixture
def scorer(exported, tmp_path):
    """A copy of it, which a test may damage."""
    return shutil.copytree(exported, tmp_path / "scorer")


def test_a_scorer_is_a_run_whose_weights_were_rounded(scorer, toy_run):
    ours, theirs = find_run(str(scorer)), find_run(str(toy_run))
    for name in ("system", "config", "spec", "settings"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert list(ours.members) == list(theirs.members) and not ours.network.training
    rounded = 0
    for (name, mine), other in zip(
        ours.network.state_dict().items(), theirs.network.state_dict().values(), strict=True
    ):
        assert mine.dtype == other.dtype
        assert torch.allclose(mine, other, rtol=2**-10, atol=1e-6), name
        rounded += not torch.equal(mine, other)
    assert rounded > 20


def test_training_continues_from_a_scorer(scorer):
    network = load_run(scorer).network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    loss = (network(torch.randn(4, 3, 80, 64)) - torch.rand(4)).square().mean()
    loss.backward()
    optimiser.step()
    after = network.state_dict()
    still = [name for name, value in after.items() if torch.equal(value, before[name])]
    assert still == [] and all(value.isfinite().all() for value in after.values())


def test_a_scorer_and_a_run_make_a_soup(scorer, toy_run, tmp_path):
    make_soup([find_run(str(scorer)), find_run(str(toy_run))], tmp_path / "soup")
    name = "members.mobilenet_v3_small.head.weight"
    soup, ours, theirs = (
        load_run(folder).network.state_dict()[name]
        for folder in (tmp_path / "soup", scorer, toy_run)
    )
    assert torch.allclose(soup, (ours + theirs) / 2) and not torch.equal(ours, theirs)


def test_scorers_of_0_1_are_read_from_their_second_copy(scorer, toy_run):
    for name in ("run.json", "model.safetensors"):
        shutil.copy(toy_run / name, scorer)
    ours, theirs = load_run(scorer), load_run(toy_run)
    for mine, other in zip(
        ours.network.state_dict().values(), theirs.network.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("name", trainable())
def test_training_can_start_from_every_shipped_scorer(name):
    run, model = find_run(name), Model(zoo.open_folder(name))
    assert run.spec == model.spec and run.system == zoo.load_card(zoo.open_folder(name)).system
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 3, run.spec.height, run.spec.width)).astype(np.float32)
    landmarks = [torch.zeros(2, 10)] if model.uses_landmarks else []
    with torch.inference_mode():
        scores = run.network(torch.from_numpy(image), *landmarks)
    assert model(image) == pytest.approx(scores.numpy(), abs=1e-5)


def test_a_damaged_scorer_is_refused(scorer):
    file = scorer / "model.onnx"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ScorerError, match=r"model\.onnx is damaged or not the model of its card"):
        load_run(scorer)
    file.write_bytes(content[: len(content) // 2])
    write_card(scorer)
    with pytest.raises(UsageError, match=r"cannot load the run in .*: not an ONNX model") as caught:
        load_run(scorer)
    assert "\n" not in str(caught.value)


def test_a_scorer_without_the_description_of_its_network_is_refused(scorer):
    (scorer / "model.onnx").write_bytes(toy_model())
    write_card(scorer)
    with pytest.raises(UsageError, match=r"training cannot start from .* describes no network"):
        load_run(scorer)


def rewrite(folder, change):
    """The scorer with another description of its network."""
    model = onnx.load(folder / "model.onnx")
    for entry in model.metadata_props:
        if entry.key == "facegauge.run":
            entry.value = change(json.loads(entry.value))
    onnx.save(model, folder / "model.onnx")
    write_card(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda described: "{", "cannot load the run in "),
        (lambda described: "[]", "cannot load the run in "),
        (lambda described: json.dumps({**described, "network": 7}), "cannot load the run in "),
        (lambda described: json.dumps({"network": described["network"]}), "'system' is missing"),
        (
            lambda described: json.dumps(
                {**described, "network": described["network"]["members"]["mobilenet_v3_small"]}
            ),
            r"Missing key\(s\) in state_dict",
        ),
    ],
)
def test_a_wrong_description_is_refused_in_one_line(scorer, change, message):
    rewrite(scorer, change)
    with pytest.raises(UsageError, match=message) as caught:
        load_run(scorer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("model.safetensors", b"version https://git-lfs", "cannot load the run in .*:"),
        ("run.json", b"{", "cannot load the run in .*:"),
        ("run.json", None, "'system' is missing"),
    ],
)
def test_a_damaged_run_is_said_to_be_one(toy_run, tmp_path, name, text, message):
    shutil.copytree(toy_run, tmp_path / "run")
    file = tmp_path / "run" / name
    if text is None:
        described = json.loads(file.read_text())
        text = json.dumps({key: value for key, value in described.items() if key != "system"})
        text = text.encode()
    file.write_bytes(text)
    with pytest.raises(UsageError, match=message):
        load_run(tmp_path / "run")


def test_a_folder_of_neither_kind_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"neither a run folder nor a scorer folder: run\.json is"):
        load_run(tmp_path)


def test_a_network_that_is_there_keeps_the_command_that_made_it(toy_run, tmp_path):
    folder = shutil.copytree(toy_run, tmp_path / "run")
    run = load_run(folder)

    def save(network, config, command):
        checkpoints.save_run(
            folder,
            system=run.system,
            network=network,
            config=config,
            spec=run.spec,
            settings={"command": command},
        )
        return load_run(folder).settings.get("command")

    first = run.settings.get("command")
    assert save(run.network, run.config, "second") == first != "second"
    with torch.no_grad():
        next(run.network.parameters()).add_(1)
    assert save(run.network, run.config, "third") == "third"
    (folder / "run.json").write_text("{")
    assert save(run.network, run.config, "fourth") == "fourth"


def test_a_commit_is_only_that_of_the_code(monkeypatch):
    said = {"ls-files": "", "rev-parse": "0123456789ab", "status": ""}
    monkeypatch.setattr(checkpoints, "_git", lambda word, *words: said[word])
    assert checkpoints.provenance()["commit"] == "unknown"  # installed inside another repository
    said["ls-files"] = "checkpoints.py"
    assert checkpoints.provenance()["commit"] == "0123456789ab"
    said["status"] = " M checkpoints.py"
    assert checkpoints.provenance()["commit"] == "0123456789ab-dirty"


def test_others_may_read_what_is_written(toy_run):
    modes = {file.stat().st_mode for file in toy_run.iterdir() if file.is_file()}
    assert len(modes) == 1
