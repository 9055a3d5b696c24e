"""Making scorers: everything here needs the [train] extra."""
