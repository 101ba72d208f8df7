"""What a trainer warns of."""


class TrainingWarning(UserWarning):
    """A run ended before it reached what was asked of it; it returns what it has."""
