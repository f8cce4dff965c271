"""Command lines over the packages; run them as ``python -m scripts.<name>``."""
