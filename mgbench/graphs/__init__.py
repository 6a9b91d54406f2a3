"""Graphs that published numbers were made with and that are not a skeleton's bones, one TOML file each."""
