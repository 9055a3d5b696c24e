"""On a Ray cluster of this machine: rows are those of one machine, whatever is killed when."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from commands import heeds_interrupts, run
from facegauge.cluster.blocks import blocks_of_names
from facegauge.cluster.run import run as run_on_ray
from facegauge.cluster.tasks import ScoreTask
from facegauge.cluster.worker import Limits
from facegauge.errors import UsageError
from facegauge.scorer import Scorer
from facegauge.tables.scores import read_rows
from facegauge.zoo import card_to_toml
from poisoned import PoisonedTask
from toys import toy_card, toy_model

pytestmark = pytest.mark.cluster

PICTURES = 2000
POISON = {700: "crash", 900: "hang", 1300: "memory"}
LIMITS = Limits(rows=100, deadline=2.0)
MARK = "FACEGAUGE_TEST_RUN"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scorer whose score is the mean of the pixels."""
    folder = tmp_path_factory.mktemp("scorer")
    model = toy_model()
    (folder / "model.onnx").write_bytes(model)
    (folder / "card.toml").write_text(card_to_toml(toy_card(model)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 pictures, one of them damaged and three of them poison."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        name = f"{number:04}{POISON.get(number, '')}.png"
        Image.fromarray(rng.integers(0, 256, (8, 6, 3), np.uint8)).save(folder / name)
    (folder / "0005.png").write_text("damaged")
    return folder


@pytest.fixture(scope="module")
def ray(s3_server: Any) -> Iterator[Any]:
    """Two CPUs, for all tests that do not start their own; its actors know the store."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    os.environ[MARK] = uuid4().hex
    for tries in (2, 1, 0):  # a busy machine may need more than the 30 s that Ray allows itself
        try:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=40)
            break
        except Exception:
            ray.shutdown()
            if not tries:
                raise
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def undisturbed(
    ray: Any, toy: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The rows of a run to which nothing happens."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    go(out, toy, photos)
    found = rows(out)
    assert len(found) == PICTURES
    assert sum('"status": "error"' in row for row in found) == 3
    return found


def go(out: Path | str, toy: Path, photos: Path, **options: Any) -> Any:
    names = sorted(str(path) for path in photos.iterdir())
    task = PoisonedTask(str(toy), faces="whole")
    blocks = blocks_of_names(names, "/")
    given = {"inputs": {}, "limits": LIMITS, "actors": 2, **options}
    return run_on_ray(str(out), task, blocks, **given)


def rows(out: Path) -> list[str]:
    """The rows of all parts, sorted, and each picture once."""
    found = [row for part in out.glob("*.parquet") for row in read_rows(part)]
    assert len({row["path"] for row in found}) == len(found)
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def processes(kind: str) -> list[int]:
    """Actors of this test's cluster, or the processes in which they open pictures."""
    actors, openers = [], []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={os.environ[MARK]}".encode() not in (folder / "environ").read_bytes():
                continue
            command = (folder / "cmdline").read_bytes()
            if command.startswith(b"ray::_Actor"):
                actors.append(int(folder.name))
            elif b"spawn_main" in command:
                openers.append(int(folder.name))
        except OSError:
            continue
    return actors if kind == "actor" else openers


class Killer:
    """Kills a process of a kind at some of the pictures, as they are counted."""

    def __init__(self, kind: str, moments: tuple[int, ...]) -> None:
        self.kind, self.left, self.killed = kind, list(moments), 0

    def __call__(self, pictures: Iterator[None]) -> Iterator[None]:
        for number, picture in enumerate(pictures):
            if self.left and number >= self.left[0]:
                self.left.pop(0)
                if found := processes(self.kind):
                    os.kill(found[0], signal.SIGKILL)
                    self.killed += 1
            yield picture


@pytest.mark.parametrize("kind", ["actor", "opener"])
def test_killed_at_three_moments_the_rows_are_those_of_an_undisturbed_run(
    kind: str, undisturbed: list[str], toy: Path, photos: Path, tmp_path: Path
) -> None:
    killer = Killer(kind, (10, 800, 1600))
    outcome = go(tmp_path / "out", toy, photos, progress=killer)
    assert killer.killed == 3
    assert rows(tmp_path / "out") == undisturbed and outcome.all.total() == PICTURES
    parts = list((tmp_path / "out").glob("*.parquet"))
    assert len(parts) >= PICTURES / 100 and max(len(list(read_rows(one))) for one in parts) <= 100


def test_a_driver_killed_at_three_moments_is_resumed(
    ray: Any, undisturbed: list[str], toy: Path, photos: Path, tmp_path: Path
) -> None:
    out, running = tmp_path / "out", ray.get_runtime_context().gcs_address
    words = [sys.executable, __file__, str(out), str(toy), str(photos)]
    for enough, address in ((1, "none"), (6, running), (12, running)):  # the first starts its own
        driver = subprocess.Popen([*words, address])
        deadline = time.monotonic() + 300
        while len(list(out.glob("*.parquet"))) < enough and time.monotonic() < deadline:
            time.sleep(0.05)
        assert driver.poll() is None, "it ended before it could be killed"
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    before = rows(out)
    assert 0 < len(before) < PICTURES and set(before) <= set(undisturbed)
    outcome = go(out, toy, photos, resume=True)
    assert rows(out) == undisturbed
    assert outcome.new.total() == PICTURES - len(before)


def test_ctrl_c_ends_a_run_on_a_running_cluster_and_its_whole_parts_stay(
    ray: Any, toy: Path, photos: Path, tmp_path: Path
) -> None:
    out, address = tmp_path / "out", ray.get_runtime_context().gcs_address
    words = ["score", str(photos), "--scorer", str(toy), "--faces", "whole", "--on", "ray"]
    words += ["--ray-address", address, "--actors", "1", "-o", str(out)]
    driver = subprocess.Popen(
        [sys.executable, "-m", "facegauge", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeds_interrupts,  # noqa: PLW1509  (Ray's threads hold no lock of ours)
    )
    deadline = time.monotonic() + 300
    while not list(out.glob("*.parquet")) and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.send_signal(signal.SIGINT)
    said = driver.communicate(timeout=300)[1]
    assert driver.returncode == 130, said
    assert said.strip().splitlines()[-1].endswith(f"-o {out} --resume") and "Traceback" not in said
    before = rows(out)
    assert 0 < len(before) < PICTURES
    done = run(*words, "--resume")
    assert done.exit_code == 3 and len(rows(out)) == PICTURES
    assert f"{PICTURES - len(before)} pictures more, " in done.stderr
    assert set(before) <= set(rows(out))


def test_a_cut_part_is_scored_again_and_a_second_run_is_refused(
    undisturbed: list[str], toy: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said: list[str] = []

    def second(pictures: Iterator[None]) -> Iterator[None]:
        for number, picture in enumerate(pictures):
            if number == 100:
                with pytest.raises(UsageError) as caught:
                    go(out, toy, photos, resume=True)
                said.append(str(caught.value))
            yield picture

    go(out, toy, photos, progress=second)
    assert len(said) == 1 and f"another run is writing {out}" in said[0]
    for part in sorted(out.glob("*.parquet"))[3:5]:
        part.write_bytes(part.read_bytes()[:-30])
    outcome = go(out, toy, photos, resume=True)
    assert rows(out) == undisturbed and 0 < outcome.new.total() <= 200


def cli(*words: str | Path) -> Any:
    return run("score", *words, "--faces", "whole")


def table_rows(*tables: Path) -> list[str]:
    found = [row for table in tables for row in read_rows(table)]
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def test_every_kind_of_input_gives_the_rows_of_one_machine(
    ray: Any, toy: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    names = [f"in/{number:04}.png" for number in range(0, 300)]
    for name in names:
        Path(name).write_bytes((photos / Path(name).name).read_bytes())
    assert cli("in", "--scorer", toy, "-o", "one.parquet").exit_code == 3
    expected = table_rows(Path("one.parquet"))
    with Path("list.csv").open("w") as file:
        csv.writer(file).writerows([["file"], *([name] for name in reversed(names))])
    data = [Path(name).read_bytes() for name in names]
    parquet.write_table(
        pyarrow.table({"image": data, "name": names}), "bytes.parquet", row_group_size=128
    )
    with tarfile.open("in.tar", "w") as tar:
        for name in names:
            tar.add(name, Path(name).name)
    for number, given in enumerate(
        (
            ["in"],
            ["list.csv", "--path-column", "file"],
            ["bytes.parquet", "--bytes-column", "image", "--path-column", "name"],
        )
    ):
        done = cli(*given, "--scorer", toy, "--on", "ray", "-o", f"out{number}")
        assert done.exit_code == 3, done.stderr
        assert "300 pictures, 0 without a face, 1 failed" in done.stderr
        assert table_rows(*Path(f"out{number}").glob("*.parquet")) == expected
    assert cli("in.tar", "--scorer", toy, "--on", "ray", "-o", "tar").exit_code == 3
    found = [row for part in Path("tar").glob("*.parquet") for row in read_rows(part)]
    prefix = f"{tmp_path}/in.tar/"
    renamed = (row | {"path": "in/" + row["path"].removeprefix(prefix)} for row in found)
    assert sorted(json.dumps(row, sort_keys=True) for row in renamed) == expected
    again = cli("in", "--scorer", toy, "--on", "ray", "-o", "out0", "--resume")
    assert again.exit_code == 3 and "nothing left to do: out0 holds every picture" in again.stderr
    refused = cli("in", "--scorer", toy, "--on", "ray", "-o", "out0")
    assert refused.exit_code == 2 and "continue it with --resume" in refused.stderr
    schema = parquet.ParquetDataset("out0").schema
    assert schema.names == list(Scorer(toy).schema.names)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_labels_are_those_of_one_machine(
    ray: Any, toy: Path, photos: Path, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "in").mkdir()
    names = sorted(path.name for path in photos.iterdir())[:120]
    for name in names:
        (tmp_path / "in" / name).write_bytes((photos / name).read_bytes())
    held_out = tmp_path / "labels.csv"
    with held_out.open("w") as file:
        scored = [(f"in/{name}", number / 20) for number, name in enumerate(names[10:30])]
        scored.sort(
            key=lambda pair: Scorer(toy, faces="whole").score(tmp_path / pair[0]).score or 0
        )
        rising = [(name, number / 20) for number, (name, _) in enumerate(scored)]
        csv.writer(file).writerows([["image", "score"], *rising])
    words = ["label", toy, "--data", tmp_path / "in", "--faces", "whole", "--views", "2"]
    words += ["--labels", held_out, "--split", "all"]
    one, many = tmp_path / f"one.{suffix}", tmp_path / f"many.{suffix}"
    assert run(*words, "-o", one).exit_code == 3
    done = run(*words, "-o", many, "--on", "ray", "--actors", "2")
    assert (
        done.exit_code == 3 and "119 pictures labelled, 0 without a face, 1 failed" in done.stderr
    )
    assert many.read_bytes() == one.read_bytes()
    notes = [Path(f"{table}.settings.json").read_text() for table in (one, many)]
    assert notes[0] == notes[1] and not (tmp_path / f"many.{suffix}.parts").exists()
    refused = run(*words, "-o", many, "--on", "ray")
    assert refused.exit_code == 2 and "exists; go on without --on ray" in refused.stderr


def test_wrong_use_is_one_line_and_writes_nothing(ray: Any, toy: Path, tmp_path: Path) -> None:
    from pyarrow import parquet, table

    parquet.write_table(table({"image": [b""]}), tmp_path / "a.parquet")
    out = tmp_path / "out"
    for words, message in (
        (["--ray-address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
        (["--ray-address", "nonsense"], "expected --ray-address to be auto, HOST:PORT"),
        (["--bytes-column", "x"], "has no column x; its columns are image"),
        (["--sort", "path"], "--sort goes not with --on ray"),
    ):
        done = cli(tmp_path / "a.parquet", "--scorer", toy, "--on", "ray", "-o", out, *words)
        assert done.exit_code == 2 and message in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1 and not out.exists()


@pytest.fixture(params=["read_only", "full"])
def refusing(request: pytest.FixtureRequest) -> Any:
    """A folder that cannot be written."""
    return request.getfixturevalue(request.param)


def test_a_folder_that_can_no_longer_be_written(
    refusing: Path, undisturbed: list[str], toy: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def fill(pictures: Iterator[None]) -> Iterator[None]:
        for number, picture in enumerate(pictures):
            if number == 300:  # drafts now go to where nothing can be written
                (out / "_drafts").rename(tmp_path / "drafts")
                (out / "_drafts").symlink_to(refusing)
            yield picture

    with pytest.raises(UsageError, match=r"^cannot write .*_drafts.*; finished parts are kept: go"):
        go(out, toy, photos, progress=fill)
    (out / "_drafts").unlink()
    before = rows(out)
    assert 0 < len(before) < PICTURES and set(before) <= set(undisturbed)
    outcome = go(out, toy, photos, resume=True)
    assert rows(out) == undisturbed and outcome.new.total() == PICTURES - len(before)


def test_a_folder_that_cannot_be_written_is_told_in_one_line(
    ray: Any, toy: Path, photos: Path, tmp_path: Path, read_only: Path
) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out", read_only / "out"):
        done = cli(photos / "0000.png", "--scorer", toy, "--on", "ray", "-o", out)
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert re.match(f"facegauge: cannot (read|write) {out}", done.stderr), done.stderr
    assert not list(read_only.iterdir())


PARTS = re.compile(r"/photos/out/part-.*\.parquet")


def test_s3_with_errors_that_pass_and_a_store_that_becomes_read_only(
    ray: Any, s3_server: Any, toy: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegauge.cluster.lease.WATCH", 0.0)  # the file of a run cannot go either
    store, names = s3_server, sorted(path.name for path in photos.iterdir())[:40]
    store.client.create_bucket(Bucket="photos")
    for name in names:
        store.client.put_object(
            Bucket="photos", Key=f"in/{name}", Body=(photos / name).read_bytes()
        )

    def parts() -> dict[str, bytes]:
        listed = store.client.list_objects_v2(Bucket="photos", Prefix="out/").get("Contents", [])
        keys = [one["Key"] for one in listed if PARTS.fullmatch(f"/photos/{one['Key']}")]
        return {
            key: store.client.get_object(Bucket="photos", Key=key)["Body"].read() for key in keys
        }

    def found() -> list[dict[str, Any]]:
        from pyarrow import parquet

        return [
            row
            for data in parts().values()
            for row in parquet.read_table(BytesIO(data)).to_pylist()
        ]

    def score(**more: Any) -> Any:
        blocks = blocks_of_names([f"s3://photos/in/{name}" for name in names], "/")
        task = ScoreTask(str(toy), faces="whole")
        given = {"inputs": {}, "limits": Limits(rows=10), "actors": 1, **more}
        return run_on_ray("s3://photos/out", task, blocks, **given)

    store.named = 2  # parts; then nothing more is written
    with pytest.raises(UsageError, match=r"cannot write s3://.*; finished parts are kept: go on"):
        score()
    store.named = None
    before = parts()
    assert len(found()) == 20 and len(before) == 2
    outcome = score(resume=True)
    assert outcome.new.total() == 20 and outcome.all == {"ok": 39, "unreadable": 1}
    rows = {row["path"]: row for row in found()}
    assert len(found()) == 40 and sorted(rows) == [f"s3://photos/in/{name}" for name in names]
    assert before.items() <= parts().items()
    scorer = Scorer(toy, faces="whole")
    for name in names[:3]:
        expected = scorer.score(photos / name).faces[0].score
        assert rows[f"s3://photos/in/{name}"]["score"] == round(expected, 6)
    words = ["s3://photos/in", "--scorer", toy, "--on", "ray", "-o", "s3://photos/all"]
    done = cli(*words)
    assert done.exit_code == 3 and "40 pictures, 0 without a face, 1 failed" in done.stderr
    assert "nothing left to do" in cli(*words, "--resume").stderr
    assert store.busy > 20


@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("out", ["s3://none/out", "s3://denied/out", "s3://closed/out"])
def test_a_bucket_that_is_not_there_or_denied_is_told_in_one_line(
    s3_server: Any, toy: Path, photos: Path, out: str
) -> None:
    if "closed" in out:  # it can be read, and not written
        s3_server.client.create_bucket(Bucket="closed")
    done = cli(photos / "0000.png", "--scorer", toy, "--on", "ray", "-o", out)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and out in done.stderr


class S3:
    """A store on loopback, of which every fifth answer to a request for an object is a 503.

    Attributes:
        client: to look into it.
        named: parts that may be written; None: any number.
        busy: how many answers were a 503.
    """

    def __init__(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        self.named: int | None = None
        self.busy, self._requests, self._seen = 0, 0, set[str]()
        self.server = ThreadedMotoServer(port=0)
        self.server.start()
        served: Any = self.server._server
        self._real, served.app = served.app, self._answer
        url = f"http://127.0.0.1:{self.server.get_host_and_port()[1]}"
        os.environ.update(
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="a",
            AWS_SECRET_ACCESS_KEY="b",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_EC2_METADATA_DISABLED="true",
        )
        self.client = boto3.client("s3", endpoint_url=url)

    def _answer(self, environ: Any, start: Callable[..., Any]) -> Any:
        path, writes = environ["PATH_INFO"], environ["REQUEST_METHOD"] not in ("GET", "HEAD")
        denied = path.startswith("/denied") or (path.startswith("/closed/") and writes)
        if self.named is not None and writes and path.startswith("/photos/out"):
            if PARTS.fullmatch(path) and len(self._seen) < self.named:
                self._seen.add(path)
            denied = len(self._seen) >= self.named and path not in self._seen
        if denied:
            return self._refuse(start, "403 Forbidden")
        self._requests += path.count("/") > 1
        if path.count("/") > 1 and self._requests % 5 == 4:
            self.busy += 1
            return self._refuse(start, "503 Slow Down")
        return self._real(environ, start)

    @staticmethod
    def _refuse(start: Callable[..., Any], status: str) -> list[bytes]:
        start(status, [("Content-Length", "0")])
        return [b""]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3]:
    store = S3()
    yield store
    store.server.stop()


if __name__ == "__main__":
    places = [Path(word) for word in sys.argv[1:4]]
    go(*places, resume=True, address=None if sys.argv[4] == "none" else sys.argv[4])
