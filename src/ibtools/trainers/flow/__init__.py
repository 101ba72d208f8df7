"""Flows and descents of regression networks: the squared loss, NumPy and SciPy alone."""
