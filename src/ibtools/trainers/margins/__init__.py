"""Training of PyTorch nets for classification: one driver, and what takes its steps."""
