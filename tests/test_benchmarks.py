"""The benchmark scripts on toy input: what they work out, and that they leave their page."""

from __future__ import annotations

import importlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face, FaceScore, ImageScore, Status

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
ASTRONAUT = BENCHMARKS.parent / "examples" / "astronaut.jpg"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of benchmarks/, which is no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def rows(page: Path, title: str) -> list[list[str]]:
    """The cells of a table on a page, without its header."""
    section = page.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def write_manifest(folder: Path, levels: list[int], grey: Callable[..., Path]) -> Path:
    """Grey pictures; labels follow the levels."""
    lines = ["image,score,split"]
    for number, level in enumerate(levels):
        grey(f"{number}.png", level)
        lines.append(f"{number}.png,{level / 255:.4f},{'train' if number == 0 else 'val'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


def test_order_on_a_scorer_that_reads_brightness(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    manifest = write_manifest(tmp_path, [80, 120, 170, 200], grey)
    files = ["--data", str(manifest), "--scorer", str(toy_scorer), "--results", str(tmp_path)]
    kinds = ["--kinds", "dark", "bright", "gaussian_blur"]
    script("order").main([*files, "--faces", "whole", "--n", "3", *kinds])
    page = tmp_path / "order.md"
    dark, bright, blur = rows(page, "Scores of degraded portraits")
    assert dark[:3] == ["dark", "3", "0"]
    assert float(dark[3]) == pytest.approx((120 + 170 + 200) / 3 / 255, abs=5e-4)  # all of val
    assert dark[9:] == ["yes", *["-1.000 [-1.000, -1.000]"] * 2]
    assert bright[9].startswith("no: not from 0 to 1")
    assert blur[3:9] == [dark[3]] * 6  # an even picture has nothing to blur
    assert blur[10:] == ["+0.000 [+0.000, +0.000]"] * 2
    means = {row[0]: row[1:3] for row in rows(page, "Undegraded portraits")}
    assert means == {"all": ["4", "0"], "train": ["1", "0"], "val": ["3", "0"]}


def test_order_leaves_out_and_counts_pictures_without_a_face(
    script: Callable[[str], ModuleType],
) -> None:
    steps = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    lost = np.where(np.arange(6) == 3, math.nan, 0.1)
    up_last = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.5])
    order = script("order")
    row = order.order_row(np.stack([steps, lost, up_last]))
    assert row[:2] == [2, 1]
    assert row[2:8] == ["0.900", "0.800", "0.700", "0.600", "0.450", "0.450"]
    assert row[8] == "no: not from 4 to 5"
    # of 1 to 5, up_last swaps the last two ranks: 1 - 6 * 2 / (5 * 24) = 0.9
    assert row[9] == "-0.950 [too few]"
    assert order.order_row(lost[None])[:3] == [0, 1, "-"]


def test_fine_damage_on_a_scorer_that_reads_brightness(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    manifest = write_manifest(tmp_path, [80, 120, 160, 200], grey)
    other = tmp_path / "other"
    shutil.copytree(toy_scorer, other)
    files = ["--data", str(manifest), "--results", str(tmp_path), "--faces", "whole"]
    what = ["--scorer", str(toy_scorer), str(other), "--kinds", "dark", "gaussian_blur"]
    script("fine").main([*files, *what, "--min-side", "16"])
    page = tmp_path / "fine.md"
    dark, blur = rows(page, "PSNR after downscaling")
    assert [float(cell) for cell in dark[1:]] == sorted(map(float, dark[1:]), reverse=True)
    assert blur[1:] == ["same"] * 4  # an even picture has nothing to blur
    assert rows(page, "Order") == [
        ["dark", "3", *["-1.000 [-1.000, -1.000]"] * 2],
        ["gaussian_blur", "3", *["+0.000 [+0.000, +0.000]"] * 2],
        ["mean of all", "3", *["-0.500 [-0.500, -0.500]"] * 2],
    ]
    assert [row[1] for row in rows(page, "Paired differences")] == ["+0.000 [+0.000, +0.000]"] * 3
    with pytest.raises(UsageError, match="no picture has a short side of 4000 px"):
        script("fine").main([*files, *what, "--min-side", "4000"])
    with pytest.raises(UsageError, match="two or more of different names"):
        script("fine").main([*files, "--scorer", "mobile"])


def test_fine_damage_by_hand(script: Callable[[str], ModuleType]) -> None:
    fine = script("fine")
    falls, lost = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0.9, 0.8, 0.7, math.nan, 0.5])
    swapped = np.array([0.9, 0.8, 0.7, 0.5, 0.6])  # 1 - 6 * 2 / (5 * 24) = 0.9
    # (portrait, kind, severity); the second portrait lacks a score under the first kind only
    one = np.stack([[falls, falls], [falls, falls]])
    other = np.stack([[swapped, falls], [lost, swapped]])
    noise, blur, mean = orders = fine.orders_of(("noise", "blur"), {"one": one, "other": other})
    assert [order.lost for order in orders] == [1, 0, 1]
    assert blur.ranks["one"] == pytest.approx([-1, -1])
    assert noise.ranks["other"] == pytest.approx([-0.9])
    assert blur.ranks["other"] == pytest.approx([-1, -0.9])
    assert mean.ranks["other"] == pytest.approx([-0.95])
    assert [row[1] for row in fine.order_table(orders).rows] == [
        "1 (1 without a face)", "2", "1 (1 without a face)"
    ]  # fmt: skip
    assert fine.difference_table([noise]).rows[0][1].startswith("-0.100 [")
    assert fine.decibels(255**2 / 1000) == "30.0"


def test_framing_by_hand(script: Callable[[str], ModuleType]) -> None:
    framing = script("framing")
    labels = np.array([0.1, 0.2, 0.3, 0.4])
    scores = {
        "whole": np.array([0.1, 0.2, 0.3, 0.4]),
        "auto": np.array([0.1, 0.3, 0.2, math.nan]),
        "all": np.array([0.3, 0.4, 0.5, 0.6]),
    }
    agreement = framing.agreement_table(labels, scores).rows
    assert [row[:3] for row in agreement] == [("whole", 0, 3), ("auto", 1, 3), ("all", 0, 3)]
    assert agreement[1][4].startswith("0.500 [")  # ranks 1 3 2 against 1 2 3
    auto, every = framing.difference_table(labels, scores).rows
    assert auto[2].startswith("0.067 [") and auto[4].startswith("+0.000 [")
    assert auto[5].startswith("-0.500 [")
    assert every[2] == "0.200 [0.200, 0.200]"


def test_framing_tells_what_auto_did(script: Callable[[str], ModuleType]) -> None:
    def result(box: Box | None) -> ImageScore:
        if box is None:
            return ImageScore("x", Status.NO_FACE, width=100, height=100)
        scored = FaceScore(0.5, 0.4, 0.6, 50, "fair", Face(box, 0.9))
        return ImageScore("x", Status.OK, (scored,), "", 100, 100)

    spec = PreprocessSpec(
        width=100, height=100, face_width=0.5, face_height=0.5, center_x=0.5, center_y=0.5
    )
    framed, small = Box(25, 25, 75, 75), Box(40, 40, 60, 60)
    table = script("framing").whole_table([result(framed), result(small), result(None)], spec)
    assert [row[1] for row in table.rows] == [1, 1, 1]


def test_framing_counts_what_has_no_face(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    manifest = write_manifest(tmp_path, [10, 20, 30, 40], grey)
    script("framing").main(
        ["--data", str(manifest), "--scorer", str(toy_scorer), "--results", str(tmp_path)]
    )
    agreement = rows(tmp_path / "framing.md", "Agreement with the labels")
    assert [row[:3] for row in agreement] == [
        ["whole", "0", "0"], ["auto", "3", "0"], ["all", "3", "0"]
    ]  # fmt: skip
    did = rows(tmp_path / "framing.md", "Pictures in mode auto")
    assert did[2] == ["no score", "3", "100.0%"]


def test_turned_pictures_have_their_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "portraits"
    folder.mkdir()
    shutil.copy(ASTRONAUT, folder / "a.jpg")
    Image.new("RGB", (200, 200)).save(folder / "b.png")
    script("turned").main(
        [*("--portraits", str(folder), "--scorer", str(toy_scorer), "--results", str(tmp_path))]
    )
    page = tmp_path / "turned.md"
    for row in rows(page, "portraits"):
        assert row[1:6] == ["1", "100.0%", "100.0%", "100.0%", "0"], row
        assert row[6].startswith("+0.000")
    assert "Left out: 1 of 2" in page.read_text()


def test_notes_have_their_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "portraits"
    folder.mkdir()
    shutil.copy(ASTRONAUT, folder / "a.jpg")
    Image.open(ASTRONAUT).convert("L").save(folder / "b.jpg")
    Image.new("RGB", (200, 200)).save(folder / "c.png")
    (folder / "labels.csv").write_text("image,score,split\na.jpg,0.4,val\nb.jpg,0.1,val\n")
    script("notes").main(
        [*("--labelled", f"photos={folder / 'labels.csv'}", "--portraits", str(folder)),
         *("--scorer", str(toy_scorer), "--results", str(tmp_path), "--n-changed", "1")]
    )  # fmt: skip
    page = tmp_path / "notes.md"
    shares = {row[0]: row[1:] for row in rows(page, "Faces with a note")}
    assert shares["`grey`"] == shares["any note"] == ["1 (50.0%)"] * 2
    assert shares["`tiny`"] == ["0 (0.0%)"] * 2
    grey, every = rows(page, "Errors")
    assert grey[:3] == ["photos of val", "grey", "1"] and every[2:] == grey[2:]
    changed = rows(page, "Portraits that were changed, 1")
    expected = [row for row in changed[:-1] if row[1] != "any note"]
    assert [row[3] for row in expected] == ["1 (100.0%)"] * len(expected)
    glasses, mask = (row for row in changed if "drawn" in row[0])
    assert float(glasses[4].split()[0]) < -0.005  # the toy reads brightness
    assert float(mask[4].split()[0]) > 0.005 and mask[5].startswith(mask[4][1:6])
    photos, _ = rows(page, "Scores")
    assert photos[:3] == ["photos of val", "grey", "1"]
    assert float(rows(page, "Cost")[0][1]) > 0


def test_wider_crops_have_their_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "portraits"
    folder.mkdir()
    canvas = Image.new("RGB", (700, 800), (90, 90, 90))
    canvas.paste(Image.open(ASTRONAUT).resize((300, 300)), (200, 300))
    canvas.save(folder / "a.png")
    Image.new("RGB", (200, 200)).save(folder / "b.png")
    script("widening").main(
        [*("--portraits", str(folder), "--scorer", str(toy_scorer), "--results", str(tmp_path))]
    )
    auto, every, leaves = rows(tmp_path / "widening.md", "portraits")
    assert auto[1] == every[1] == "18" and leaves[1] == "1"
    assert 0 < float(auto[4]) < 0.5 and float(leaves[4]) <= float(auto[4])
    assert "1 of 2 pictures" in (tmp_path / "widening.md").read_text()


@pytest.mark.slow
def test_speed_measures_and_writes_its_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    for level in (50, 100):
        grey(f"faces/{level}.png", level)
    files = ["--faces", str(tmp_path / "faces"), "--results", str(tmp_path)]
    counts = ["--n", "6", "--rounds", "1", "--starts", "1", "--memory-n", "20"]
    what = ["--only", "cold", "faces", "threads", "memory"]
    script("speed").main(["--scorer", str(toy_scorer), *files, *counts, *what])
    page = tmp_path / "speed.md"
    starts = rows(page, "Cold start")
    assert [row[0] for row in starts] == ["facegauge --help", "facegauge score"]
    assert 0 < float(starts[0][2]) <= float(starts[0][1]) <= float(starts[0][3])
    whole, auto = rows(page, "A folder of faces, 178 x 218")
    assert whole[1:3] == ["6", "6"] and auto[1:3] == ["6", "0"]  # grey: no face to find
    alone, *_ = rows(page, "Threads")
    assert alone[:2] == ["whole", "1"] and alone[3] == "1.00 (1.00 to 1.00)"
    assert [row[0] for row in rows(page, "Resident memory")] == ["whole", "auto"]
    text = page.read_text()
    assert "| onnxruntime |" in text and "| commit |" in text
    assert str(tmp_path) not in text


@pytest.mark.slow
def test_stages_add_up_and_the_network_is_the_floor(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    grey("faces/50.png", 50)
    files = ["--faces", str(tmp_path / "faces"), "--results", str(tmp_path)]
    counts = ["--n", "2", "--rounds", "1", "--photos", "1", "--only", "stages", "peers"]
    script("speed").main(["--scorer", str(toy_scorer), *files, *counts])
    page = tmp_path / "speed.md"
    *parts, total = rows(page, "Stages")
    assert [row[0] for row in (*parts, total)] == [*script("stages").STAGES, "rest", "all"]
    shown = [[float(cell.split()[0]) for cell in row[1:]] for row in (*parts, total)]
    for *stages, every in zip(*shown, strict=True):
        assert every > 0 and sum(stages) == pytest.approx(every, abs=0.5)
    peers = {row[0]: row[1:] for row in rows(page, "Peers and the network's floor")}
    assert peers["network of the scorer alone"][1:] == ["-", "1.0"]
    assert any("student" in name for name in peers)


def test_peers_are_compared_with_network_and_detector_of_the_same_picture(
    script: Callable[[str], ModuleType],
) -> None:
    peers = script("peers")
    times = {
        "facegauge, auto, a portrait": [4.0, 5.0, 9.0],
        peers.FLOOR: [2.0, 2.0, 2.5],
        "pyiqa: network": [100.0, 90.0, 400.0],
        "pyiqa: detector, a framed face": [7.0, 7.0, 7.0],
        "pyiqa: detector, a portrait": [150.0, 150.0, 150.0],
    }
    ours, floor, *_ = peers.table(times).rows
    assert ours[1:] == ("5.0 (4.0 to 9.0)", "50", "2.5")
    assert floor[1:] == ("2.0 (2.0 to 2.5)", "-", "1.0")


def test_material_has_the_sizes_it_promises(
    script: Callable[[str], ModuleType], tmp_path: Path, grey: Callable[..., Path]
) -> None:
    grey("source/a.png", 90, (300, 300))
    material = script("material")
    faces = material.faces(tmp_path / "source", tmp_path / "faces", 3)
    photos = material.photos(tmp_path / "source", tmp_path / "photos", 2, noise=3)
    assert [Image.open(path).size for path in faces] == [(178, 218)] * 3
    assert [Image.open(path).size for path in photos] == [(4000, 3000)] * 2
    assert np.asarray(Image.open(photos[0])).std() == pytest.approx(3, abs=0.7)
    assert len(list((tmp_path / "photos").iterdir())) == 2


@pytest.mark.skipif(not ASTRONAUT.is_file(), reason="the example picture is not there")
def test_faces_are_cut_from_the_example_picture(
    script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    made = script("material").faces(None, tmp_path / "faces", 10)
    assert len(made) == 10
    assert {Image.open(path).size for path in made} == {(178, 218)}


def test_split_is_by_name_and_refuses_what_it_would_spoil(
    script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    split = script("split")
    source, target = tmp_path / "images.csv", tmp_path / "split.csv"
    names = [f"{k}.png" for k in range(20)]
    source.write_text("\ufeffimage,sex\n" + "".join(f"{name},f\n" for name in names))
    split.main([str(source), str(target)])
    header, *lines = target.read_text().splitlines()
    assert header == "image,sex,split"
    assert lines == [f"{name},f,{split.split_of(name)}" for name in names]
    assert {line.rsplit(",")[2] for line in lines} == {"train", "val"}
    for one, other in ((target, tmp_path / "a.csv"), (source, tmp_path / "deep" / "a.csv")):
        with pytest.raises(SystemExit):
            split.main([str(one), str(other)])
        assert not other.exists()


def test_compare_on_two_scorers_of_which_one_is_the_labels_upside_down(
    script: Callable[[str], ModuleType], make_scorer: Callable[..., Path], tmp_path: Path,
    grey: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    compare = script("compare")
    monkeypatch.setattr(
        compare, "profile_scorer", lambda folder: SimpleNamespace(parameters=2_000_000, gflops=0.25)
    )
    manifest = write_manifest(tmp_path, list(range(40, 240, 10)), grey)
    up, down = make_scorer("up"), make_scorer("down", scale=-1.0)
    compare.main([f"up={up}", f"down={down}", "--data", str(manifest), "--reference", "up",
                  "--results", str(tmp_path / "pages")])  # fmt: skip
    page = tmp_path / "pages" / "compare.md"
    figures = {name: cells for name, *cells in rows(page, "Agreement")}
    assert figures["up"][:2] == ["19", "1.000 [too few]"]
    assert figures["down"][0] == "19" and not figures["down"][1].startswith("1.0")
    ((name, *_),) = rows(page, "Paired differences")
    assert name == "up - down"
    assert rows(page, "Cost")[0] == ["up", "2.000 M", "0.2500"]
    with pytest.raises(UsageError, match="the rows are up, down"):
        compare.main([f"up={up}", f"down={down}", "--data", str(manifest), "--reference", "left"])


def test_degradations_judges_encoders_beside_one_that_never_learned(
    script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    from facegauge.faces.spec import PreprocessSpec
    from facegauge.nn.checkpoints import save_run
    from facegauge.nn.regressor import Regressor
    from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder

    torch.manual_seed(3)
    before, encoder = Regressor("shufflenet_v2_x0_5"), DegradationEncoder((4,), (2, 2))
    begun = DegradationEncoder((), (2, 2), "shufflenet_v2_x0_5")
    begun.load_backbone(before)
    spec, body = PreprocessSpec(width=24, height=32), str(tmp_path / "before")
    settings = {"begun": {"encoder": {"body": body}}}
    for folder, network in (("before", before), ("run", encoder), ("begun", begun)):
        save_run(tmp_path / folder, system="x", network=network, config=network.config,
                 spec=spec, settings=settings.get(folder, {}))  # fmt: skip
    lines = ["image,score,split,identity"]
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 256, (32, 24, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,0.{number + 1},val,p{number // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    script("degradations").main([f"mine={tmp_path / 'run'}", "--data", str(tmp_path / "labels.csv"),
                                 "--results", str(tmp_path / "pages")])  # fmt: skip
    page = tmp_path / "pages" / "degradations.md"
    assert "3 people of" in page.read_text() and "45 pictures" in page.read_text()
    found = rows(page, "Retrieval and linear probe")
    assert [name for name, *_ in found] == ["random weights", "mine"]
    for _, mean, cells, chance, *_ in found:
        assert 0 < float(chance) < 0.2
        assert all(0 < float(precision.split()[0]) <= 1 for precision in (mean, cells))
    script("degradations").main([f"begun={tmp_path / 'begun'}", "--data",
                                 str(tmp_path / "labels.csv"), "--results",
                                 str(tmp_path / "pages")])  # fmt: skip
    blank, as_it_began, begun_row = rows(page, "Retrieval and linear probe")
    assert (
        as_it_began[0] == f"as initialised ({body})"
        and as_it_began[1:] == begun_row[1:] != blank[1:]
    )


def test_half_precision_compares_scores_and_sizes(
    script: Callable[[str], ModuleType], make_scorer: Callable[..., Path], tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    manifest = write_manifest(tmp_path, [80, 120, 170, 200], grey)
    for side, scale in (("before", 1.0), ("after", 0.999)):
        (tmp_path / side).mkdir()
        make_scorer(f"{side}/toy", scale)
    (tmp_path / "before" / "toy" / "model.safetensors").write_bytes(bytes(2_000_000))
    script("half_precision").main(
        ["toy", "--data", str(manifest), "--before", str(tmp_path / "before"), "--after",
         str(tmp_path / "after"), "--starts", "1", "--results", str(tmp_path)]
    )  # fmt: skip
    page = tmp_path / "half-precision.md"
    assert rows(page, "Scores") == [
        ["toy", "3", f"{0.2 / 255:.5f}", f"{0.49 / 3 / 255:.5f}", "1.00000", "1.00000",
         "+0.00000", "yes"]
    ]  # fmt: skip
    toy, total = rows(page, "Size")
    assert toy[1:] == total[1:] == ["0.00", "2.00", "0.00", "0.00"]
    name, pairs, before, after, ratio = rows(page, "Cold start")[0]
    assert (name, pairs) == ("toy", "1") and int(before) > 50 and int(after) > 50
    assert 0.2 < float(ratio.split()[0]) < 5


def test_a_step_without_data_costs_what_is_worked_out(
    script: Callable[[str], ModuleType],
) -> None:
    torch = pytest.importorskip("torch")
    simulated = script("simulated")
    network = torch.nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)

    class Objective(torch.nn.Module):
        def forward(self, network, batch):
            return {"mean": network(batch["images"]).mean()}

    batch = {"images": torch.empty(10, 4, 32, 32)}
    cost = simulated.cost_of_a_step(network, Objective(), batch, "fp32")
    convolution = 2 * 10 * 4 * 9 * 32 * 32
    assert cost.operations == 2 * convolution  # forward, and the gradient of the weight
    images, weight = 4 * 10 * 4 * 32 * 32, 4 * 4 * 9
    assert 2 * images < cost.peak < 4 * images  # input, output, and the output's gradient
    assert cost.peak > 2 * images + 5 * weight


def test_the_table_of_paper_presets(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    script("training_cost").main(["light_ensemble", "--results", str(tmp_path)])
    page = tmp_path / "training-cost.md"
    first, second = rows(page, "One step of every paper preset")
    assert first[:3] == ["light ensemble: mobilenet_v3_small", "bf16", "64"]
    assert 0.5 < float(first[3]) < 3 and 0.3 < float(first[4]) < 1.5  # 0.21 forward at 288 x 352
    assert second[0] == "light ensemble: shufflenet_v2_x1_0"


def test_faces_found_counts_right_and_false_faces(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, scenes = script("faces_found"), script("scenes")
    places = scenes.grid((400, 200), 2, 1, 40)
    assert places == [(100, 100, 40), (300, 100, 40)]

    def face(x: int, width: int) -> Face:
        return Face(Box(x - width / 2, 80, x + width / 2, 120), 0.9)

    assert found.matched([face(102, 42)], places) == 1
    assert found.matched([face(102, 42), face(98, 40)], places) == 1  # each face counts once
    assert found.matched([face(102, 100), face(200, 40)], places) == 0  # too large; elsewhere
    small = [("two", (400, 200), places)]
    monkeypatch.setattr(found, "group_scenes", lambda: iter(small))
    found.main(["--empty", "2", "--results", str(tmp_path)])
    ((name, there, right, false, *_),) = rows(tmp_path / "faces-found.md", "Scenes")
    assert (name, there, right, false) == ("two", "2", "2", "0")
    assert rows(tmp_path / "faces-found.md", "Pictures without a face")[-1][:3] == ["all", "2", "0"]


def test_originals_on_a_scorer_that_reads_brightness(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path
) -> None:
    names = ["astronaut", "astronaut_dark", "astronaut_jpeg"]
    for name in (*names, "astronaut_blur"):
        shutil.copy(ASTRONAUT.with_name(f"{name}.jpg"), tmp_path)
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "faceless.png")
    lines = ["image,score,split,second_share"]
    lines += [f"{name}.jpg,0.{4 - place},val,0" for place, name in enumerate(names)]
    lines += ["faceless.png,0.5,val,0", "astronaut_blur.jpg,0.9,val,0.7"]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    lists = ["--data", str(tmp_path / "labels.csv"), "--portraits", str(tmp_path / "labels.csv")]
    options = ["--max-second", "0.3", "--scorer", str(toy_scorer), "--results", str(tmp_path)]
    script("originals").main([*lists, *options])
    page = tmp_path / "originals.md"
    assert "4 photos" in page.read_text()
    (agreement,) = rows(page, "Photos, auto")
    assert agreement[1:3] == ["3", "1"]
    sizes = {row[1]: row for row in rows(page, "By the width of the face")}
    assert sizes["80-120"][2] == "3" and sizes["80-120"][3] == "0.300"
    assert [row[2] for row in rows(page, "The interval")] == ["3"]
    for row in rows(page, "Enlarged photos"):  # the mean brightness stays
        assert row[2] == "3"
        assert abs(float(row[3].split()[0])) < 0.02
    grey, sepia = rows(page, "Portraits without their colours")
    assert abs(float(grey[3].split()[0])) < 0.1 and float(sepia[3].split()[0]) != 0
    assert [row[1] for row in rows(page, "A crop that is a little wider")] == ["auto", "all"]


def test_int8_compares_a_scorer_with_its_copy(
    script: Callable[[str], ModuleType], make_scorer: Callable[..., Path], tmp_path: Path,
    grey: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    manifest = write_manifest(tmp_path, [80, 120, 170, 200], grey)
    pair = ["--scorer", str(make_scorer("toy", 1.0)), "--copy", str(make_scorer("copy", 0.99))]
    module = script("int8")
    monkeypatch.setattr(module, "ROUNDS", 2)
    module.main(["--data", str(manifest), *pair, "--results", str(tmp_path)])
    page = tmp_path / "int8.md"
    ((what, n, *agreement, mean, _, largest),) = rows(page, "Scores")
    assert (what, n, agreement[:2]) == ("crops, whole", "3", ["1.0000", "1.0000"])
    assert float(mean) == pytest.approx(-0.01 * 163.3 / 255, abs=5e-4)
    assert float(largest) == pytest.approx(0.01 * 200 / 255, abs=1e-3)
    *_, (last, ratio, _) = rows(page, "Cost")
    assert last == "copy / scorer" and 0.1 < float(ratio.split()[0]) < 10


def test_fairness_on_a_scorer_that_reads_brightness(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    grey: Callable[..., Path],
) -> None:  # fmt: skip
    lines = ["image,sex,age"]
    for number in range(120):
        man = number % 2
        grey(f"{number}.png", 120 + number // 4 - 30 * man)
        lines.append(f"{number}.png,{'m' if man else 'f'},{'old' if number % 4 < 2 else 'young'}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    words = ["--data", str(tmp_path / "list.csv"), "--by", "sex,age", "--faces", "whole"]
    scorer = ["--scorer", str(toy_scorer), "--counterfactual", str(toy_scorer)]
    script("fairness").main([*words, *scorer, "--accept", "0.5", "--results", str(tmp_path)])
    page = tmp_path / "fairness.md"
    told = " ".join(page.read_text().split())
    assert "exclude 0 are `toy`: f (+0.118), m (-0.118), f, old (+0.078)" in told
    women = rows(page, "Gap to all others")[0]
    assert women[:2] == ["f", "60"] and women[2].startswith("+0.118 [+0.1")
    scores, degraded = (tmp_path / "fairness" / f"{name}.md" for name in ("scores", "degraded"))
    assert [row[0] for row in rows(scores, "Mean score")][-1] == "m, young"
    assert rows(scores, "Share accepted at 0.5")[1][2].startswith("0.000")
    assert rows(scores, "Least to greatest share accepted")[0][2] == "m to f"
    assert rows(degraded, "Counterfactual: toy")[0][0] == "all (mean drop)"
    assert float(rows(degraded, "Counterfactual: toy")[0][5]) > 0.05  # by darkness


@pytest.mark.slow
def test_fine_tuning_is_compared_with_a_curve_and_with_ridge(
    script: Callable[[str], ModuleType],
    toy_data: Path,
    toy_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    work, short = tmp_path / "work", ["workers=0", "fit.steps=0", "fit.warmup=0", "passes=1"]
    words = [
        *("--data", str(toy_data), "--counts", "30", "--kinds", "bent", "--start", str(toy_run)),
        *("--work", str(work), "--results", str(tmp_path)),
        *(word for pair in short for word in ("--set", pair)),
    ]
    script("finetune").main(words)
    page = tmp_path / "finetune.md"
    compared = rows(page, "bent: 30 labels")
    assert [row[0] for row in compared] == [
        "fine-tuned", "start, curve refitted", "ridge on frozen features", "start as it is",
    ]  # fmt: skip
    ((name, kept, *_),) = rows(page, "Cost")
    assert name == "bent, 30" and kept in ("curve", "head")
    tuned, curve = (float(row[1].split()[0]) for row in compared[:2])
    assert tuned > curve  # brightness is in the features, and not in the scores of a random start
    monkeypatch.setattr(script("finetune").recipe, "run", lambda *_, **__: pytest.fail("again"))
    script("finetune").main(words)  # with the same --work, what is there is not done again
    assert rows(page, "bent: 30 labels") == compared


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads CPU times from /proc")
def test_serve_measures_the_service_beside_a_scorer(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path
) -> None:
    pytest.importorskip("fastapi")
    sizes = ["--n", "40", "--pictures", "20", "--rounds", "1", "--memory-n", "40"]
    options = ["--scorer", str(toy_scorer), "--workers", "1", "--clients", "1", "3"]
    script("serve").main([*options, *sizes, "--results", str(tmp_path)])
    page = tmp_path / "serve.md"
    found = rows(page, "Load")
    assert [row[:3] for row in found] == [["1", "40", "0"], ["3", "40", "0"]]
    for row in found:
        server, workers, alone, ratio, rate, *times = map(float, row[3:])
        assert server > 0 and workers > 0 and rate > 0
        assert ratio == pytest.approx(alone / (server + workers), rel=0.2)
        assert times == sorted(times)
    assert [row[0] for row in rows(page, "Resident memory")] == ["4", "40"]


def test_factors_and_degradations_have_their_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = tmp_path / "portraits"
    folder.mkdir()
    shutil.copy(ASTRONAUT, folder / "a.jpg")
    Image.open(ASTRONAUT).resize((400, 400)).save(folder / "b.png")
    Image.new("RGB", (200, 200)).save(folder / "c.png")
    factors = script("factors")
    kinds = ("gaussian_blur", "jpeg", "dark", "shrink", "tilt", "cut")
    own = {name: tuple(set(some) & set(kinds)) for name, some in factors.OWN.items()}
    own = {name: some for name, some in own.items() if some}
    few = {kind: factors.CHANGES[kind] for kind in kinds}
    ratings = {name: factors.RATINGS[name] for name in own}
    for name, value in (("OWN", own), ("CHANGES", few), ("RATINGS", ratings)):
        monkeypatch.setattr(factors, name, value)
    factors.main(
        ["--portraits", str(folder), "--scorer", str(toy_scorer), "--results", str(tmp_path)]
    )
    page = tmp_path / "factors.md"
    assert "The ten factors on 1 portraits; 1 others" in page.read_text()
    alone = {row[0]: row[1:] for row in rows(page, "Rank correlation, each portrait by itself")}
    assert set(alone) == set(kinds)
    found = {row[0]: row[1:] for row in rows(page, "Expectations, each portrait by itself")}
    assert float(found["resolution"][1]) > 0.7 and found["resolution"][2].startswith("0.00 (")
    assert float(found["blocking"][1]) > 0.9 and len(found) == len(own)
    assert float(rows(page, "Cost")[0][1]) > 0


def test_a_rank_correlation_counts_the_fall_of_a_rating(
    script: Callable[[str], ModuleType],
) -> None:
    factors = script("factors")
    falls = np.array([[1, 0.8, 0.6, 0.4, 0.2, 0.0], [1, 1, 1, 1, 1, 1], [0, 0.2, 0.4, 0.6, 0.8, 1]])
    assert factors.correlation(falls[:1], alone=True) == pytest.approx(1)
    assert factors.correlation(falls[1:2], alone=True) == 0
    assert factors.correlation(falls, alone=True) == pytest.approx(0)
    unknown = np.array([[np.nan] * 6])
    assert factors.correlation(unknown, alone=True) == 0
    ratings = {"rating_exposure": {"dark": falls}, "rating_noise": {"dark": falls}}
    assert len(factors.counted(ratings, "exposure", "dark")) == 2  # the last is wrong at 0
    assert len(factors.counted(ratings, "noise", "dark")) == 3


def test_what_moves_the_scores_has_its_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("facegauge.evaluation.attribution.LEAST", 6)
    lines, picture = ["image,score,split"], Image.open(ASTRONAUT)
    for number in range(6):
        picture.point(lambda level, number=number: int(level * (1 - number / 8))).save(  # type: ignore[misc]
            tmp_path / f"{number}.png"
        )
        lines.append(f"{number}.png,0.{number},val")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    files = ["--photos", str(tmp_path / "labels.csv"), "--crops", str(tmp_path / "labels.csv")]
    script("attribution").main([*files, "--scorers", str(toy_scorer), "--results", str(tmp_path)])
    photos, crops = rows(tmp_path / "attribution.md", "R2")
    assert photos[0] == "photos" and photos[2] == crops[2] == "6" and crops[4] == "no"
    (moved,) = rows(tmp_path / "attribution.md", "Photos: range of what each factor adds")
    assert float(moved[5]) > 0  # exposure


def test_cut_pictures_have_their_page(
    script: Callable[[str], ModuleType], toy_scorer: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    cut_off = script("cut_off")
    monkeypatch.setattr(cut_off, "SIDES", ("top", "left right"))
    monkeypatch.setattr(cut_off, "STEPS", (0.4, 1.2))
    folder = tmp_path / "portraits"
    folder.mkdir()
    canvas = Image.new("RGB", (512, 560), (90, 90, 90))
    canvas.paste(Image.open(ASTRONAUT), (0, 48))
    canvas.save(folder / "a.png")
    Image.new("RGB", (200, 200)).save(folder / "b.png")
    cut_off.main(
        ["--portraits", str(folder), "--scorer", str(toy_scorer), "--results", str(tmp_path)]
    )
    found = rows(tmp_path / "cut-off.md", "How far scores move")
    assert all(row[0].endswith("(n = 1)") for row in found)
    assert sum(int(row[3]) for row in found) == 4
    pixels = np.zeros((100, 80, 3), np.uint8)
    part = cut_off.cut(pixels, Box(30, 40, 50, 70), Box(10, 20, 70, 90), ["left", "bottom"], 0.5)
    assert part.shape == (80, 60, 3)
