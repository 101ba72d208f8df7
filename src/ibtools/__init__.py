"""Implicit bias of gradient descent: what happened, what must happen, and the claims that compare.

The floors, from the ground up: ``data``; ``models``; ``metrics``; side by side ``trainers`` and
``theory``; on top ``claims`` and ``show``. No import goes up. Importing the package is quick and
needs no torch.
"""

__version__ = "0.1.0"
