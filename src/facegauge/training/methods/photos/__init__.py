"""Scores that hold on photos as well as on crops: both regimes, learned together.

Where the parts are:

- `recipe`: the run: pictures, teacher, pool, training;
- `teacher`: frozen features and the size of the face to the label, for views without one;
- `pool`: views of large faces at known widths, and degraded views, with the teacher's scores;
- `views`: changes of a picture that leave its label as it is;
- `batches`: what a step sees; `objective`: what it learns from it;
- `config`: every setting; `photos.toml`: the preset.
"""
