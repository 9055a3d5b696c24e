"""Fine-tuning: a finished scorer learns other labels. A recipe of our own, without a paper.

Where the parts are:

- `recipe`: the curve, the head, all layers, and which of them is kept, in order;
- `labels`: what is refused, the split of a list without one, the list that the run keeps;
- `frozen`: the features of the frozen trunk; `head`: the head on them, in closed form;
- `steady`: the objective, with the start's batch-norm statistics;
- `config`: every setting; `finetune.toml`: the preset.

The networks are those of the start, behind a curve: `nn.curved.Curved`.
"""
