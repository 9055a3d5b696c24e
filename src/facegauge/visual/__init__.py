"""What is seen of scores: boxes drawn on pictures, faces cut out, thumbnails, contact sheets."""
