"""Efficient-FIQA: self-training of a teacher and distillation (arXiv 2507.15709).

Where the parts are:

- `recipe`: the teacher T, set A, the retrained teacher T+, set B and the student, in order;
- `reference`: the authors' weights;
- `config`: every setting; `efficient_fiqa.toml`: the presets.

The networks are `nn.regressor.Regressor`; the paper's loss is `nn.losses.mse_plcc`.
"""
