"""From pixels to face crops: detection, framing, sampling."""
