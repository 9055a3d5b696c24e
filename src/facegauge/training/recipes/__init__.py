"""One readable file for each published system; copy one and own it."""
