"""Studies that come with mgbench: files for `mgbench run NAME`, with the rows of a published table."""
