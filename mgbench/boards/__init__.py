"""Boards: what was measured and what was published, as tables for readers, papers and spreadsheets."""
