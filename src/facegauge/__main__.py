"""Lets `python -m facegauge` run the command line."""

from facegauge.cli import main

if __name__ == "__main__":
    main()
