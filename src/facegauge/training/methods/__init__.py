"""The published methods, one folder each; its docstring says which file holds what."""
