"""How well scores agree with labels, and what a scorer costs."""
