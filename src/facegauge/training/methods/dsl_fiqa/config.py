"""The settings of DSL-FIQA; `dsl_fiqa.toml` has its presets."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from facegauge.faces.spec import PreprocessSpec
from facegauge.training.config import setting, table
from facegauge.training.config_errors import Expected, either
from facegauge.training.geometry import InputConfig
from facegauge.training.init_from import InitFrom
from facegauge.training.numbers import AboveZero, Count, Positive, Share
from facegauge.training.settings import FitConfig, MethodConfig, ScoreLossConfig, SeverityRankConfig
from facegauge.training.view_settings import BatchPlan

Fraction = Annotated[float, Field(gt=0, le=1)]
Grid = tuple[Positive, Positive]


def _known_backbone(name: str) -> str:
    from facegauge.nn.backbones import TAPS
    from facegauge.training.methods.dsl_fiqa.tokens import VIT

    if name != VIT and name not in TAPS:
        raise ValueError(f"expected {either([VIT, *TAPS])}")
    return name


def _known_shallow_backbone(name: str) -> str:
    from facegauge.nn.backbones import CHANNELS_LAST, TAPS

    known = [key for key in TAPS if key not in CHANNELS_LAST]
    if name and name not in known:
        raise ValueError(f'expected "" or {either(known)}')
    return name


CoreBackbone = Annotated[str, AfterValidator(_known_backbone), Expected("the name of a backbone")]
EncoderBackbone = Annotated[
    str, AfterValidator(_known_shallow_backbone), Expected('"" or the name of a backbone')
]


@table
class DualSetPlan:
    """What a batch of the two sets holds; sizes and label are the paper's, the rest is ours."""

    RENAMED: ClassVar[dict[str, str]] = {
        "good": "min_label",
        "least": "min_severity",
        "spoilt": "degraded_fraction",
        "kinds_alone": "kind_only",
    }

    degraded: Annotated[int, Field(ge=2, le=16)] = setting(
        "Views in set S: a clean face, and it under one degradation each", default=16
    )
    real: Annotated[int, Field(ge=2)] = setting("Faces in set R", default=256)
    min_label: Share = setting(
        "Set R has at least one face with this label or a higher one; 0 for no such rule",
        default=0.9,
    )
    min_severity: Annotated[float, Field(gt=0, le=5)] = setting(
        "Lowest severity of a degradation; the highest is 5", default=1.0
    )
    degraded_fraction: Share = setting(
        "Fraction of set R that is degraded too, each face as a view of S is; for real faces too "
        "uniform to show the degradations of S",
        default=0.0,
    )
    kind_only: bool = setting(
        "All of S has one severity, and each degraded face of R a severity of its own, so that "
        "only the kind of degradation relates the sets",
        default=False,
    )
    window: Fraction = setting(
        "Height and width of the region that the encoder sees, at a random position, as a fraction "
        "of the view's; S is one region of its face",
        default=1.0,
    )


@table
class EncoderConfig:
    """The degradation encoder and how it learns."""

    RENAMED: ClassVar[dict[str, str]] = {"start": "init_from", "body": "init_from"}

    init_from: InitFrom = setting(
        'First weights: "" for random ones; for a backbone also "imagenet", a .pth file, or a '
        "scorer or run folder with that backbone; or a run folder with a degradation encoder, "
        "which is taken whole (with fit.steps = 0 as it is)",
        default="",
    )
    channels: tuple[Positive, ...] = setting(
        "Two convolutions for each number, as in the paper; empty with a backbone",
        default=(64, 128, 256),
    )
    backbone: EncoderBackbone = setting(
        'Network whose layers up to stride 8 replace the convolutions; "" for the convolutions',
        default="",
    )
    grid: Grid = setting("Rows and columns of cells", default=(8, 12))
    learns: Literal["both", "s_r_s", "r_s_r", "patches"] = setting(
        "Objective: both ways of the dual sets, one of them, or the patch baseline", default="both"
    )
    distance: Literal["sum", "mean"] = setting(
        "Squared distances are summed over the dimensions, as in the paper, or averaged",
        default="sum",
    )
    temperature: AboveZero = setting("Divisor of the squared distances", default=1.0)
    pooled: bool = setting(
        "Compare the mean over a picture's cells instead of all cells in order", default=False
    )
    standardised: bool = setting(
        "Give every dimension mean 0 and standard deviation 1 over the batch before comparing",
        default=False,
    )
    patch: Fraction = setting(
        "Height and width of a patch of the patch baseline, as a fraction of the view's",
        default=0.5,
    )
    patch_temperature: AboveZero = setting(
        "Divisor of the cosine similarities of the patch baseline", default=0.1
    )
    checkpointing: bool = setting(
        "Compute the convolutions' activations again in the backward pass instead of holding all "
        "of them: a third more work for half the memory",
        default=False,
    )
    plan: DualSetPlan = setting("What a batch holds", default=DualSetPlan())
    fit: FitConfig = setting("Optimisation; with 0 steps the encoder is taken as it starts")

    def __post_init__(self) -> None:
        if bool(self.channels) == bool(self.backbone):
            raise ValueError(
                "expected either channels or a backbone, got "
                f"channels {list(self.channels)} and backbone {self.backbone!r}"
            )


@table
class CoreConfig(ScoreLossConfig, SeverityRankConfig):
    """The core network and how it learns; see `core_settings.CoreSettings` for its sizes."""

    RENAMED: ClassVar[dict[str, str]] = {"start": "init_from", "weights": "init_from"}

    init_from: InitFrom = setting(
        'First weights of the backbone: "" for random ones, "imagenet" to let the library fetch '
        "them, a .pth file, or a scorer or run folder with that backbone; or of the whole core: a "
        "scorer or run folder of DSL-FIQA of the same sizes",
        default="",
    )
    backbone: CoreBackbone = setting(
        "Network that gives the tokens: vit_base_patch16_384 (timm), or a convolutional backbone; "
        "see `nn/backbones.py`"
    )
    tap_width: Positive = setting(
        "Channels of each of a convolutional backbone's four maps", default=48
    )
    width: Positive = setting("Channels of the first Swin stage; the second has half of them")
    heads: Positive = setting("Attention heads of the Swin stages", default=4)
    window: Grid = setting("Height and width of the Swin windows, in tokens")
    mlp: Positive = setting("Hidden width of the Swin blocks")
    decoder_width: Positive = setting("Channels of the decoder")
    decoder_heads: Positive = setting("Attention heads of the decoder")
    degradation: Literal["query", "concat", "none"] = setting(
        "How the degradation cells are used: as queries to the tokens, as in the paper; "
        "concatenated with the tokens; or not at all, which needs no encoder",
        default="query",
    )
    stretch: Literal["grid", "nearest"] = setting(
        "How cells are assigned to tokens: by rows and columns, or along the flattened list, as in "
        "the paper's code",
        default="grid",
    )
    landmarks: Annotated[int, Field(ge=0, le=5000)] = setting(
        "Length of the landmark vector: 10 for the detector's five points, 0 for none; above 10, "
        "numbers of the dense landmarks in the .npy file of each picture, of which the paper has "
        "500",
        default=10,
    )
    frequencies: Count = setting("Frequencies of the landmarks' positional encoding", default=4)
    landmark_width: Positive = setting("Hidden width of the landmark branch", default=64)
    guides: Literal["confidence", "both"] = setting(
        "Which heads the landmarks guide: the confidence, or both", default="confidence"
    )
    confidence_gain: AboveZero = setting(
        "Factor on the confidence head's value before its sigmoid: that head learns so much faster",
        default=1.0,
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = setting("Dropout probability", default=0.1)
    photo_repeats: Positive = setting(
        "How often a pass shows each labelled photo, of which there are fewer than crops", default=1
    )
    plan: BatchPlan = setting("What a batch holds")
    fit: FitConfig = setting("Optimisation")

    def __post_init__(self) -> None:
        if 0 < self.landmarks < 10:
            raise ValueError(
                f"expected landmarks to be 0, 10 or more than 10, got {self.landmarks}"
            )
        for name, width, heads in (
            ("width", self.width // 2, self.heads),
            ("decoder_width", self.decoder_width, self.decoder_heads),
        ):
            if width % heads:
                raise ValueError(f"expected {name} to be divided by its {heads} heads, got {width}")


@table
class RetrievalConfig:
    """The validation of the encoder: retrieval by degradation, across people of val."""

    RENAMED: ClassVar[dict[str, str]] = {"faces": "people"}

    people: Annotated[int, Field(ge=2)] = setting(
        "People at most; of each the val picture with the highest label, under every degradation"
    )


@table
class DslFiqaConfig(MethodConfig):
    """The settings of DSL-FIQA (arXiv 2406.09622)."""

    method: ClassVar[str] = "dsl_fiqa"
    RENAMED: ClassVar[dict[str, str]] = {"judge": "retrieval"}

    input: InputConfig = setting("What both networks see")
    retrieval: RetrievalConfig = setting("Validation of the encoder")
    encoder: EncoderConfig = setting("Step 1: the degradation encoder")
    core: CoreConfig = setting("Step 2: the core network")

    @property
    def spec(self) -> PreprocessSpec:
        """What both networks see, and what the core is told of dense landmarks."""
        dense = self.core.landmarks if self.core.landmarks > 10 else 0
        return replace(self.input.spec, dense_landmarks=dense)
