"""A report on a score table: one HTML file that fetches nothing; needs the extra [report]."""
