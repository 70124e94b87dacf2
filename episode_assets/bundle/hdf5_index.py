"""How much of the index of an open HDF5 file stays in memory."""

from __future__ import annotations

import h5py

INDEX_BYTES = 1 << 20


def keep_index_small(file: h5py.File) -> None:
    """Keep at most `INDEX_BYTES` of where chunks lie; left alone, HDF5 keeps 32 MB, which an hour of depth fills."""
    cache = file.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = INDEX_BYTES
    file.id.set_mdc_config(cache)
