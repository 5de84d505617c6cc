"""Tests mirror fergan/ and train/."""

from fergan.models import standing

standing.SETTLED = (
    64  # in each process of theirs: small networks need no more, and their tests would take minutes
)
