"""Names, Parquet files and tar shards as blocks; what is left of a block; what cannot be read."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from facegauge.cluster.blocks import (
    AHEAD,
    Block,
    Item,
    blocks_of_cells,
    blocks_of_names,
    blocks_of_shards,
    names_in,
)
from facegauge.cluster.done import Done
from facegauge.cluster.stores import Store
from facegauge.errors import UsageError

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def items(blocks: Any) -> list[tuple[str, Any]]:
    return [(item.name, item.source) for block in blocks for item in block.items()]


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_blocks_grow_so_that_every_actor_soon_has_one_and_shrink_so_that_all_end_at_once() -> None:
    names = [f"{number}.jpg" for number in range(4000)]
    blocks = list(blocks_of_names(iter(names), "/data"))
    sizes = [len(block.names) for block in blocks]
    assert sizes[:7] == [50, 100, 200, 400, 800, 1000, 362]
    assert sizes[5:] == sorted(sizes[5:], reverse=True) and 50 <= sizes[-2] < 100
    found = items(blocks)
    assert [name for name, _ in found] == names and found[7] == ("7.jpg", "/data/7.jpg")
    assert items([blocks[0].after(48)]) == found[48:50]
    assert [len(one.names) for one in blocks_of_names(names[:120], "/")] == [50, 50, 20]
    assert not list(blocks_of_names([], "/"))
    many = [len(block.names) for block in blocks_of_names(map(str, range(20_000)), "/")]
    assert many.count(1000) > 14 and sum(many) == 20_000


def test_names_are_read_a_few_ahead_and_not_held() -> None:
    left = iter(range(1_000_000))
    blocks = blocks_of_names(map(str, left), "/")
    given = sum(len(next(blocks).names) for _ in range(50))
    assert given <= next(left) <= given + AHEAD


def test_names_of_stores_are_read_by_the_actor(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    url = f"file://{tmp_path}"
    block = next(blocks_of_names([f"{url}/a.jpg", f"{url}/b.jpg"], "/"))
    first, second = (item.fetched() for item in block.items())
    assert first == Item(f"{url}/a.jpg", b"picture")
    assert (
        second.source is None and second.why == f"cannot read {url}/b.jpg: no such file or folder"
    )


def test_a_folder_of_a_store_is_listed_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.png", "a/.hidden.jpg", "c.txt", "a/b/ä 1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"")
    url = f"file://{tmp_path}"
    assert list(names_in(url)) == [f"{url}/a/b/ä 1.jpg", f"{url}/a/z.png", f"{url}/b.jpg"]
    assert list(names_in(f"{url}/none.jpg")) == [f"{url}/none.jpg"]


@pytest.mark.parametrize("struct", [False, True])
def test_bytes_in_parquet(tmp_path: Path, struct: bool) -> None:
    data = [b"%d" % number for number in range(130)]
    cells = [{"bytes": one, "path": None} for one in data] if struct else data
    table = arrow.table({"image": [*cells[:-1], None], "name": [f"{n}.jpg" for n in range(130)]})
    file = tmp_path / "a.parquet"
    parquet.write_table(table, file, row_group_size=100)
    blocks = list(blocks_of_cells([str(tmp_path)], "image", "name"))
    assert [(one.group, one.begin, one.end) for one in blocks] == [
        (0, 0, 50),
        (0, 50, 100),
        (1, 0, 30),
    ]
    found = items(blocks)
    assert found == [(f"{n}.jpg", data[n]) for n in range(129)] + [("129.jpg", None)]
    assert items([blocks[1].after(49)]) == found[99:100]
    (unnamed,) = (item for item in blocks_of_cells([str(file)], "image", None) if item.group)
    assert next(unnamed.items()).name == f"{file}#100"
    with pytest.raises(UsageError, match="has no column x; its columns are image, name"):
        next(blocks_of_cells([str(file)], "x", None))
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"cannot read .*b\.parquet"):
        list(blocks_of_cells([str(tmp_path / "b.parquet")], "image", None))


def test_tar_shards(tmp_path: Path) -> None:
    members = {"1.jpg": b"one", "1.json": b"{}", "b/2.png": b"two", "3.webp": b"three"}
    members |= {"b/._2.png": b"of macOS", ".hidden.jpg": b""}
    file = write_tar(tmp_path / "a.tar", members)
    (block,) = blocks_of_shards([str(file)])
    expected = [
        (f"{file}/1.jpg", b"one"),
        (f"{file}/b/2.png", b"two"),
        (f"{file}/3.webp", b"three"),
    ]
    assert items([block]) == expected
    assert items([block.after(2)]) == expected[2:]


def test_a_file_of_pictures_that_is_cut_is_a_row_of_its_own(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "a.tar", {"1.jpg": b"1" * 600, "2.jpg": b"2" * 6000})
    file.write_bytes(file.read_bytes()[:3000])
    found: list[Item] = [one for block in blocks_of_shards([str(file)]) for one in block.items()]
    assert [one.name for one in found] == [f"{file}/1.jpg", str(file)]
    assert found[1].source is None and found[1].why.startswith("not read to its end: ")
    block: Block = next(blocks_of_shards([str(tmp_path / "none.tar")]))
    (only,) = block.items()
    assert only.source is None and "no such file" in only.why


def test_what_is_done_is_known_by_its_hash() -> None:
    names = [f"{number}.jpg" for number in range(1000)] + ["caf\udce9.jpg"]
    done = Done(names)
    assert len(done) == 1001 and all(map(done.has, names))
    assert not any(done.has(f"{number}.png") for number in range(1000))
    assert not Done().has("a")


def test_stores_say_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^cannot use nonsense://: "):
        Store("nonsense://a/b").read()
    with pytest.raises(UsageError, match=r"^cannot write .*/a/b: no such file or folder"):
        Store(str(tmp_path / "a" / "b")).write(b"")
    store = Store(str(tmp_path)) / "x"
    store.replace(b"1")
    store.replace(b"2")
    assert store.read() == b"2" and store.entries.__self__.kind == "file"  # type: ignore[attr-defined]
    store.move(Store(str(tmp_path)) / "y")
    assert Store(str(tmp_path)).entries() == [("y", False)]
    store.remove()
