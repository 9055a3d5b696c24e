"""Pseudo-labels: a scorer's scores of unlabelled pictures, as a list to train on."""
