"""Lists of labelled and unlabelled pictures, public data sets, leakage, degradations."""
