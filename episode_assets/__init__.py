"""Episode Assets: an archive of first-person RGB-D recordings as training data.

The package reads as the flow of data: `recording` and `video` read and write the two kinds of source
material, `anonymization` and `hands` perceive, `bundle`, `qc` and `lerobot` write what people use, `storage`
keeps it all, and `defs` hands it to Dagster. Each room's `__init__` lists what others may import.
"""

__version__ = "0.1.0"
