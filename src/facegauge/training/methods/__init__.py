"""The published methods, one room each."""
