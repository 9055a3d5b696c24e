"""MSPT: multi-stage progressive training of one light network (arXiv 2508.07590).

Where the parts are:

- `recipe`: the run, the sources' pictures and labels, the training of one stage;
- `stages`: the stages as they run, the two baselines, and the measure of forgetting;
- `sources`: what a source holds, and batches of several of them;
- `portraits`: faces cut out of large portraits, with degraded copies;
- `config`: every setting; `mspt.toml`: the presets.

The network is `nn.regressor.Regressor` with the backbone mobilenetv3_small_100.
"""
