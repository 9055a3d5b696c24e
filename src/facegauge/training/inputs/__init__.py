"""Training inputs: pictures in memory and the views made of them."""
