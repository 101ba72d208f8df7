"""Implicit bias of gradient descent: what happened, what must happen, and the claims that compare.

``trainers`` and ``metrics`` say what happened, ``theory`` what must happen, and ``claims`` compares
them; ARCHITECTURE.md has the floors. Importing the package is quick and needs no torch.
"""

__version__ = "0.1.0"
