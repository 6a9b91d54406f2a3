"""Layouts in which the field passes on clips, one a module: each tells whether a folder holds it, and reads what is held."""
