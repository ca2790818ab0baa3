"""Lint the files of a project: which ones, by which settings, and what is said about them."""
