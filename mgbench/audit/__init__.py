"""What is wrong with a data set, or worth knowing before its numbers are believed."""
