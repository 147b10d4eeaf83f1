"""Measurements: one file a question, each against a peer in the same run."""
