"""Scoring on a Ray cluster: blocks of pictures to actors, finished parts to a folder."""
