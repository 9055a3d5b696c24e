"""The light ensemble with MSECorrLoss (arXiv 2509.10114).

Where the parts are:

- `recipe`: teachers, the teacher cache, the two light networks and their average, in order;
- `config`: every setting; `light_ensemble.toml`: the presets.

The networks are `nn.regressor.Regressor`, averaged by `nn.ensemble.Ensemble`; the loss is
`nn.losses.mse_corr`.
"""
