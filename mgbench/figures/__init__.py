"""Figures as papers print them, each written to one file, PNG or SVG; matplotlib is imported when one is drawn."""
