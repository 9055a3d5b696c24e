"""Score tables on disk: columns, formats, journals and locks."""
