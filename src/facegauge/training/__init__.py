"""Making scorers: everything here needs the extra [train]."""
