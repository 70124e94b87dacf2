"""What assets are given besides their inputs: where artifacts live, and how many processes may work.

A resource holds settings and returns a plain object of the library; it opens late and contains no processing.
Nothing in here may change the bytes of an artifact; such settings belong to the steps.
"""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from episode_assets.storage import Store


class PipelineResource(dg.ConfigurableResource[Store]):
    """The store and the resources of this machine."""

    store_uri: str = Field(description="Where artifacts live: a directory, or s3://bucket/prefix.")
    workers: int = Field(
        default=1, description="Chunk worker processes per run; 1 or more. Never changes results."
    )

    def store(self) -> Store:
        """Open the store, and remove what killed runs have left in its scratch."""
        store = Store.open(self.store_uri)
        store.sweep()
        return store
