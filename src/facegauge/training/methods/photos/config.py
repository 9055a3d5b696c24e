"""The settings of the photos recipe; `photos.toml` has its preset."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from facegauge.training.config import setting, table
from facegauge.training.geometry import InputConfig
from facegauge.training.init_from import Earlier
from facegauge.training.numbers import AboveZero, Count, Positive, Share, Weight
from facegauge.training.settings import Backbone, FitConfig, MethodConfig

Factor = Annotated[float, Field(ge=1, le=8)]


@table
class TeacherConfig:
    """Ridge regression on frozen features and the size of the face."""

    networks: tuple[Earlier, ...] = setting(
        "Scorers whose features are used, the mean of all; the start alone, if empty", default=()
    )
    widths: tuple[Positive, ...] = setting(
        "Widths of the inputs at which features are computed; the scores are averaged"
    )
    penalty: AboveZero = setting("Penalty on the weights of standardised features", default=0.3)
    smooth: Share = setting(
        "How far the label of a photo moves towards what the teacher says that did not learn it",
        default=0.0,
    )


@table
class PoolConfig:
    """Views that the teacher scores once; training draws from them."""

    shrunken: Count = setting("Views of large faces, shrunken to a known width")
    degraded: Count = setting("Pairs of degraded views of one kind and rising severity")
    min_frame: Positive = setting("Width of a frame, in pixels, from which a face is large")
    max_frame: Positive = setting(
        "Width of a frame, in pixels, to which larger ones are shrunken before they are degraded",
        default=900,
    )
    seed: Count = setting("Seed of all that is drawn", default=5)


@table
class BatchConfig:
    """How many views of which source a batch holds."""

    photos: Positive = setting("Labelled photos")
    unlabelled_photos: Count = setting("Photos with the teacher's scores", default=0)
    crops: Positive = setting("Labelled crops")
    unlabelled: Count = setting("Crops with pseudo-labels", default=0)
    pool: Count = setting("Views of the pool", default=0)


@table
class ChangesConfig:
    """Changes of a view that leave its label as it is, and their probabilities."""

    tint: Share = setting("Grey, sepia or another tint")
    enlarge: Share = setting("A photo is enlarged before it is sampled")
    max_enlarge: Factor = setting("Largest factor by which a photo is enlarged", default=4.0)
    photo_jpeg: Share = setting("A photo is compressed as JPEG of quality 80 to 96 first")
    crop_jpeg: Share = setting("A crop is compressed as JPEG of quality 60 to 95 first")


@table
class ObjectiveConfig:
    """The terms of the loss."""

    beta: AboveZero = setting("Error at which the loss turns from square to linear", default=0.06)
    pseudo_weight: Weight = setting("Weight of views without a label", default=0.5)
    corr_weight: Weight = setting(
        "Weight of 1 - PLCC, within photos and within crops", default=0.25
    )
    label_rank_weight: Weight = setting(
        "Weight of the order of every pair of labels, within photos and within crops", default=1.0
    )
    width_weight: Weight = setting(
        "Weight of the width of the face in its original, which the network estimates",
        default=0.1,
    )


@table
class PhotosConfig(MethodConfig):
    """Training for photos and crops together."""

    method: ClassVar[str] = "photos"

    start: Earlier = setting("Whose network is taken: a shipped scorer, or a scorer or run folder")
    backbone: Backbone = setting("Its backbone, or that of the member to take")
    input: InputConfig = setting("What the network sees")
    teacher: TeacherConfig = setting("Who scores photos without a label, and the pool")
    pool: PoolConfig = setting("Views that the teacher scores")
    batch: BatchConfig = setting("What a batch holds")
    changes: ChangesConfig = setting("Changes that leave the label as it is")
    objective: ObjectiveConfig = setting("The loss", default=ObjectiveConfig())
    fit: FitConfig = setting("Optimisation")
    start_share: Share = setting(
        "Share of the start's weights in the result, which keeps more of what the start knew",
        default=0.0,
    )
