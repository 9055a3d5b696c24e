"""Training inputs: pictures and the views made of them."""
