"""Pictures in, scores out: each thread takes a picture from its file to its scores."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from copy import copy
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from facegauge import zoo
from facegauge.errors import UsageError
from facegauge.faces.detection import MIN_FACE, Detector
from facegauge.faces.extraction import FaceExtractor, map_named
from facegauge.faces.located import Located, Prepared
from facegauge.faces.lookahead import default_threads
from facegauge.faces.policy import ExtractionPolicy
from facegauge.factors import Factor, measure_face, resolve, schema_with
from facegauge.images.costs import MAX_PIXELS
from facegauge.images.sources import check_source, check_sources
from facegauge.onnx_runtime import check_device
from facegauge.predictors import OnnxPredictor, Predictor, predict_faces
from facegauge.results import HeatMap, ImageScore
from facegauge.scored import heat_map_of, result_of

if TYPE_CHECKING:
    from facegauge.images.sources import Source
    from facegauge.tables.scores import ScoreTable
    from facegauge.tables.shards import Shard

BATCH_SIZE = 2  # on CPUs 16 took more memory, and for `mobile` more time; see docs/experiments


class Scorer:
    """Scores the faces of pictures; opened once, used many times.

    Scores do not depend on the batch size, the number of threads or the pictures around. An
    instance may be shared by threads, pickled, and used in forked or spawned processes.

    `score` and `score_iter` do all that most programs need. A service or a cluster that prepares
    pictures in one place and runs the network in another calls the two stages: `prepare`, which
    opens a picture and cuts out its faces, and `score_prepared`, which runs the network.

    A source is a path, the bytes of a picture file, an open binary file, a PIL image, an array
    (H, W, 3) of uint8, uint16 or floats in 0..1, a torch tensor (3, H, W) or (H, W, 3) of uint8 or
    floats in 0..1, or a pair of a name and one of these; see `images.open_picture`.

    Args:
        name_or_folder: a shipped scorer's name (see `facegauge models`) or a scorer folder.
        faces: which faces get a score, see `faces.extraction.ExtractionPolicy`: `auto`, `all`,
            `largest` or `whole`. A scorer that uses landmarks searches for them with `whole` too.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        threads: for pictures side by side, and in `score` for the network; by default one for each
            CPU, at most 4.
        batch_size: faces of a picture that the network sees at a time. More takes more memory; on
            CPUs it is slower for some scorers and faster for others.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        max_pixels: pictures with more pixels are not opened.
        detect_size: long side of the largest input of the face search, in pixels: less finds only
            larger faces, faster; by default as `min_face` asks for.
        factors: what to measure on each face beside its score: names of `facegauge.factors.FACTORS`
            and objects of your own, see `facegauge.factors.Factor`; True for `quality`.
        device: where the networks compute: `cpu`, or `cuda`, which needs onnxruntime-gpu. Scores
            differ between devices in their last digits.

    Attributes:
        card: what is known of the scorer: costs, data, licence, figures, calibration.
        folder: where it lies.
        spec: how a face becomes the network's input.
        factors: what is measured on each face.
        schema: the columns of its results, those of the factors at the end.

    Raises:
        UsageError: an argument that cannot be.
        ScorerError: no such scorer, or it is damaged.
    """

    def __init__(
        self,
        name_or_folder: str | os.PathLike[str] = zoo.DEFAULT,
        *,
        faces: str = "auto",
        detector: Detector | None = None,
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
        min_face: float = MIN_FACE,
        max_pixels: int = MAX_PIXELS,
        detect_size: int | None = None,
        factors: bool | str | Iterable[str | Factor] = (),
        device: str = "cpu",
    ) -> None:
        check_device(device)
        self.threads = default_threads() if threads is None else threads
        for name, value in {"threads": self.threads, "batch_size": batch_size}.items():
            if value < 1:
                raise UsageError(f"expected {name} to be 1 or more, got {value}")
        self._predictor = OnnxPredictor(name_or_folder, threads=1, device=device)
        self._alone = self._predictor.with_threads(self.threads)  # while no other picture is scored
        self.folder, self.card = self._predictor.folder, self._predictor.card
        self.spec = self._predictor.spec
        self.max_pixels, self.detect_size, self.batch_size = max_pixels, detect_size, batch_size
        self._own_detector, self.device = detector, device
        self._set_options(faces, min_face, factors)

    def with_options(
        self,
        *,
        faces: str | None = None,
        min_face: float | None = None,
        factors: bool | str | Iterable[str | Factor] | None = None,
    ) -> Scorer:
        """This scorer with other options, at no cost: both share the network.

        Args:
            faces: as for the class; None keeps what this scorer has.
            min_face: the same.
            factors: the same.

        Raises:
            UsageError: an argument that cannot be.
        """
        other = copy(self)
        other._set_options(
            self.faces if faces is None else faces,
            self.min_face if min_face is None else min_face,
            self.factors if factors is None else factors,
        )
        return other

    @property
    def has_heat_map(self) -> bool:
        """Whether the scorer's model has a heat map, see `heat_map`."""
        return self._predictor.model.has_heat_map

    def score(self, source: Source) -> ImageScore:
        """The scores of one picture.

        A picture that cannot be scored gives a result with another status than ok, no exception.

        Args:
            source: a picture, see the class, or a pair (name, picture).

        Raises:
            UsageError: something that is not one picture, such as a list.
            ScorerError: the scorer or the detector itself is damaged.
        """
        return self._score([self.prepare(source)], self._alone)[0]

    def score_iter(self, sources: Iterable[Source]) -> Generator[ImageScore, None, None]:
        """One result a source, in the same order, while they come in.

        The sources are read lazily and only a few pictures are held at a time, so a list of
        millions is welcome. Paths of folders are not walked: see `images.find_pictures`. A source
        that is not a picture has its row, with the status unreadable.

        Args:
            sources: pictures, see the class, and pairs (name, picture); an array or a tensor of
                four dimensions is several pictures.

        Raises:
            UsageError: a single picture in place of a list.
            ScorerError: the scorer or the detector itself is damaged.
        """
        check_sources(sources)
        return map_named(self._score_one, sources, self.threads)

    def prepare(self, source: Source) -> Prepared:
        """The first stage: open a picture, find its faces and cut out what the network reads.

        The result has no pixels but those of the crops, and can be pickled, so it can be sent to
        another process. It fits every scorer with the same spec.

        Args:
            source: a picture, see the class, or a pair (name, picture).

        Raises:
            UsageError: something that is not one picture, such as a list.
            ScorerError: the detector itself is damaged.
        """
        check_source(source)
        return self._extractor.extract(source, self._cut)

    def score_prepared(self, pictures: Sequence[Prepared]) -> list[ImageScore]:
        """The second stage: run the network on the faces of prepared pictures.

        Args:
            pictures: from `prepare` of this scorer, or of another one with the same spec.

        Returns:
            One result a picture, in the same order; as `score` would give it.

        Raises:
            UsageError: a picture that was prepared for another spec, or something else.
            ScorerError: the scorer itself is damaged.
        """
        if isinstance(pictures, Prepared):
            raise UsageError("expected a list of prepared pictures, got a single one")
        pictures = list(pictures)
        for picture in pictures:
            self._check_prepared(picture)
        return self._score(pictures, self._alone)

    @property
    def settings(self) -> dict[str, Any]:
        """What its results depend on, as JSON types; a table keeps them beside its rows."""
        from facegauge import __version__  # reads the package's metadata: slow to import

        settings: dict[str, Any] = {
            "facegauge": __version__,
            "scorer": self.card.name,
            "version": self.card.version,
            "sha256": self.card.fingerprint,
            "calibration": self.card.calibration.digest,
            "faces": self.faces,
            "min_face": self.min_face,
            "max_pixels": self.max_pixels,
        }
        if self.detect_size is not None:
            settings["detect_size"] = self.detect_size
        if self.device != "cpu":
            settings["device"] = self.device
        if self.factors:
            settings["factors"] = [factor.name for factor in self.factors]
        return settings

    def open_table(
        self,
        path: str | os.PathLike[str],
        *,
        resume: bool = False,
        overwrite: bool = False,
        excel: bool = False,
        shard: Shard | None = None,
    ) -> ScoreTable:
        """A table for the results of this scorer, with the columns of its factors.

            with scorer.open_table("scores.csv", resume=True) as table:
                for result in score_remaining(scorer, table, paths):  # of `facegauge.remaining`
                    table.write(result)

        Args:
            path: of the table; its suffix, .csv, .jsonl or .parquet, says the format.
            resume: continue what is there, if anything. Tables of scorers that the card lists in
                `same_as` are continued too.
            overwrite: replace what is there, if anything.
            excel: for spreadsheets: CSV with a byte order mark and without formulas.
            shard: which share of the pictures the table is of, see `tables.shards`.

        Raises:
            UsageError: see `tables.scores.open_table`.
            MissingExtra: Parquet without pyarrow.
        """
        from facegauge.tables.scores import open_table

        return open_table(
            path,
            self.settings,
            schema=self.schema,
            same_as=self.card.same_as,
            resume=resume,
            overwrite=overwrite,
            excel=excel,
            shard=shard,
        )

    def heat_map(self, source: Source | Prepared, face: int = 0) -> HeatMap:
        """Where the score of one face of a picture comes from.

        Of a scorer whose card has a map, the score before the map.

        Args:
            source: a picture, as for `score`, or one that `prepare` has prepared already.
            face: which face, in the order of `score(source).faces`; 0 is the largest.

        Raises:
            UsageError: the scorer's model has no heat map, or the picture no such face.
            PictureError: the picture cannot be scored; its status says why, as in `score`.
            ScorerError: the scorer or the detector itself is damaged.
        """
        if isinstance(source, Prepared):
            self._check_prepared(source)
        picture = source if isinstance(source, Prepared) else self.prepare(source)
        return heat_map_of(picture, face, self._predictor.maps)

    def _set_options(
        self, faces: str, min_face: float, factors: bool | str | Iterable[str | Factor]
    ) -> None:
        """Set what `with_options` may change, and what follows from it."""
        policy = ExtractionPolicy(
            faces,
            min_face,
            self.max_pixels,
            landmarks=self._predictor.uses_landmarks,
            detect_size=self.detect_size,
        )
        self.faces, self.min_face = faces, min_face
        self.factors = resolve(factors, self.spec)
        self.schema = schema_with(self.factors)
        self._extractor = FaceExtractor(
            self.spec, policy, self._own_detector, self.threads, self.device
        )
        self.detector = self._extractor.detector

    def _score_one(self, source: Source, name: str) -> ImageScore:
        """From a picture to its scores, in one thread."""
        return self._score([self._extractor.extract(source, self._cut, name)], self._predictor)[0]

    def _cut(self, located: Located) -> Prepared:
        """Sample and measure the faces; runs in the threads that read pictures."""
        picture = self._extractor.prepare(located)
        if not self.factors or located.pixels is None:
            return picture
        upright = located.upright()
        measured = [measure_face(self.factors, *one[:3]) for one in upright]
        failures = dict.fromkeys(failure for _, failure in measured if failure)
        factors = tuple(values for values, _ in measured)
        message = "; ".join(filter(None, [picture.message, *failures]))
        return replace(picture, factors=factors, message=message)

    def _check_prepared(self, picture: Prepared) -> None:
        if not isinstance(picture, Prepared):
            raise UsageError(
                f"expected pictures from Scorer.prepare, got {type(picture).__name__}; "
                "for other sources use score_iter"
            )
        if picture.spec is None:
            return
        if picture.spec != self.spec:
            raise UsageError(
                f"{picture.name} was prepared for another spec than that of {self.card.name}; "
                "prepare it with this scorer"
            )
        if self._predictor.uses_landmarks and not picture.landmarks:
            raise UsageError(
                f"{picture.name} was prepared without landmarks, which {self.card.name} uses; "
                "prepare it with this scorer"
            )

    def _score(self, pictures: Sequence[Prepared], predictor: Predictor) -> list[ImageScore]:
        """Run the network on all faces of some prepared pictures."""
        faces = [face for picture in pictures for face in picture.crops]
        scores = iter(predict_faces(predictor, faces, self.batch_size).tolist())
        calibration = self.card.calibration
        return [result_of(p, list(islice(scores, len(p.crops))), calibration) for p in pictures]
