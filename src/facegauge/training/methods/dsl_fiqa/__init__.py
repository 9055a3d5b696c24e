"""DSL-FIQA: dual-set degradation learning and a landmark-guided transformer (arXiv 2406.09622)."""
