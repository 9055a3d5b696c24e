"""Efficient-FIQA (arXiv 2507.15709)."""
