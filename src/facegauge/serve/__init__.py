"""The service: scores over HTTP, computed by worker processes."""
