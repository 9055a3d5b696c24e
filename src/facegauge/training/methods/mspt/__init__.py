"""MSPT: multi-stage progressive training (arXiv 2508.07590)."""
