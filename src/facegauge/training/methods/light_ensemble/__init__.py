"""The light ensemble with MSECorrLoss (arXiv 2509.10114)."""
