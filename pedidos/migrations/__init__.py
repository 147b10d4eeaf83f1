"""Alembic's scripts: env.py and the revisions, in the order of their file names."""
