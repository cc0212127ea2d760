"""Build image-text corpora that come from a language community and are vouched for by it."""

__version__ = "0.1.0"
