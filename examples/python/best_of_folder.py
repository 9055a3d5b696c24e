"""Keep the best pictures of each folder: print them, or copy them somewhere.

    python examples/python/best_of_folder.py
    python examples/python/best_of_folder.py albums --top 3 --copy-to covers

A picture counts by its best face. Pictures without a scored face are never kept; how many there
are, and why, is printed first. Nothing is moved, replaced or deleted.
"""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from facegauge import ImageScore, Scorer, Status
from facegauge.images import find_pictures
from facegauge.selection import select

EXAMPLES = Path(__file__).resolve().parent.parent


def counted(results: Iterable[ImageScore], statuses: Counter[Status]) -> Iterator[ImageScore]:
    """The results as they come, counting their statuses."""
    for result in results:
        statuses[result.status] += 1
        yield result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="*", type=Path, default=[EXAMPLES])
    parser.add_argument("--top", type=int, default=2, help="pictures to keep of each folder")
    parser.add_argument("--copy-to", type=Path, help="copy them there, a folder for each folder")
    given = parser.parse_args(arguments)

    statuses: Counter[Status] = Counter()
    results = counted(Scorer().score_iter(find_pictures(given.folders)), statuses)
    excluded = [given.copy_to] if given.copy_to else []  # so that a run can be repeated
    best = select(results, given.top, per_folder=True, exclude=excluded)
    print(", ".join(f"{count} {status.value}" for status, count in sorted(statuses.items())))
    for result in best:
        picture, face = Path(result.path), result.best
        assert face is not None  # only pictures with a scored face are selected
        print(f"{face.score:.3f} ({face.band})  {picture}")
        if given.copy_to:
            folder = picture.parent.as_posix().strip("./").replace("/", "_")
            target = given.copy_to / folder / picture.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy2(picture, target)


if __name__ == "__main__":
    main()
