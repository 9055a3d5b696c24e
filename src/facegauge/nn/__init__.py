"""Networks, losses and checkpoints in torch, without training."""
