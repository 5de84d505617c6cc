"""Faces that show an emotion: generators, translators and classifiers on FER2013."""

__version__ = "0.1.0"
