"""DSL-FIQA: dual-set degradation learning and a landmark-guided transformer (arXiv 2406.09622).

Where the parts of the paper are:

- Dual-set degradation representation learning: `encoder` (the network), `dual_set` (soft proximity
  mapping and the bidirectional contrastive loss), `dual_set_batches` (the sets S and R).
- The core network: `network` (the whole), `core_settings` (sizes and variants), `tokens` (ViT-B/16
  or a light backbone), `attention` (channel attention, Swin stages, the decoder with degradation
  cells as queries), `heads` (quality, confidence, and the score as their weighted mean).
- Landmark guidance: `landmark_guide` (positional encoding and the map for the heads).
- Evaluation of the encoder: `retrieval` (mean average precision by degradation), `probe` (a linear
  probe), `patch_contrast` (the baseline that learns from patches).
- The authors' weights: `reference`.
- Training: `recipe` (the two steps in order), `photos` (labelled photos beside crops), `config`
  (every setting), `dsl_fiqa.toml` (presets).
"""
