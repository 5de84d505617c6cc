"""Training scripts: `python -m train.<name> --help`."""
