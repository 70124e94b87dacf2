"""The graph on Dagster: one short file per asset, and what they share (partitions, checks, options, resources, jobs).

A new asset gets a file here and a line in `definitions`. Nothing here loops over frames, knows a file format or decides
how an artifact is made: that is the work of the rooms below and of `pipeline`.
"""
