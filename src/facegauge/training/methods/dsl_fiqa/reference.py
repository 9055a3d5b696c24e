"""The weights that DSL-FIQA's authors published (github.com/DSL-FIQA/DSL-FIQA)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from facegauge.training.methods.dsl_fiqa.core_settings import CODED
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.network import Core, DslFiqa
from facegauge.training.reference import fill, renamed

# the reference as it scores: with its scrambled attention, without the layers that it never uses
SETTINGS = replace(CODED, scrambled=True, whole=False, bias=0.0)
ENCODER_NAMES = [("E.", "body."), ("mlp.", "project.")]
ATTENTION = {"c_q": "query", "c_k": "key", "c_v": "value"}
DECODER = {
    "norm1.": "norm.",
    "attn.q.": "query.",
    "attn.kv.": "key_value.",
    "attn.proj.": "out.",
    "norm2.": "mlp_norm.",
    "mlp.fc1.": "expand.",
    "mlp.dwconv.dwconv.": "around.",
    "mlp.fc2.": "shrink.",
}
UNUSED = (
    *("relative_position_index", "attn_mask", "attn.task_query"),
    *(
        f"swintransformer{place}.downsample.{kind}"
        for place in (1, 2)
        for kind in ("weight", "bias")
    ),
    *(f"testmlp.{layer}.{kind}" for layer in (0, 3) for kind in ("weight", "bias")),
)
VIT_BLOCKS, VIT_READ = 12, 10  # the last tap is block 9
VIT_UNUSED = (
    "vit.norm.",
    "vit.head.",
    *(f"vit.blocks.{block}." for block in range(VIT_READ, VIT_BLOCKS)),
)


def is_encoder(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of the degradation encoder, by their names."""
    return "E.0.weight" in state and "mlp.0.weight" in state


def is_core(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of the core network, by their names."""
    return "tablock1.0.c_q.weight" in state and "fc_weight.0.weight" in state


def network_of(encoder_state: Mapping[str, Tensor], core_state: Mapping[str, Tensor]) -> DslFiqa:
    """The whole network with published weights, in evaluation mode.

    Args:
        encoder_state, core_state: of the files DE.pt and IQA.pt, under the names of the authors'
            code.

    Raises:
        UsageError: the weights are other networks'.
    """
    encoder = DegradationEncoder()
    fill(encoder, renamed(encoder_state, ENCODER_NAMES), "DSL-FIQA's degradation encoder")
    core = Core(SETTINGS)
    kept = {name: value for name, value in core_state.items() if not name.startswith(VIT_UNUSED)}
    fill(core, renamed(kept, list(_core_names()), UNUSED), "DSL-FIQA's core network")
    return DslFiqa(encoder, core).eval()


def _core_names() -> list[tuple[str, str]]:
    names = [("vit.", "tokens.vit.")]
    for stage, first in ((1, 0), (2, 4)):  # stages of ours: two attentions, a conv, a Swin stage
        for block in range(2):
            names += [
                (f"tablock{stage}.{block}.{theirs}.", f"stages.{first + block}.{ours}.")
                for theirs, ours in ATTENTION.items()
            ]
        names.append((f"conv{stage}.", f"stages.{first + 2}."))
        swin = f"stages.{first + 3}"
        for layer in range(2):
            theirs = f"swintransformer{stage}.layers.{layer}"
            names += [
                (f"{theirs}.blocks.", f"{swin}.layers.{layer}."),
                (f"{theirs}.conv.", f"{swin}.convolutions.{layer}."),
            ]
    names.append(("conv_decoder.", "stages.8."))
    for block in range(3):
        names += [
            (f"decoder.{block}.{theirs}", f"decoder.{block}.{ours}")
            for theirs, ours in DECODER.items()
        ]
    return [
        *names,
        ("embed_mlp.", "guide.mlp."),
        ("fc_score.", "quality."),
        ("fc_weight.", "confidence."),
    ]
