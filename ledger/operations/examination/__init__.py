"""Examination of an installation, its database and its server: `doctor`, as a function."""
