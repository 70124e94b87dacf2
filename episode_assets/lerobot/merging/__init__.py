"""Joins datasets of one kind into a new one; everything is checked before the first byte.

`rules` says which datasets fit together, `plan` gives every episode its new number, `v3` and `v2` write. Joining
recordings of one archive needs none of this: they are packed into one dataset from the start.
"""

from episode_assets.lerobot.merging.merge import Merged, merge_datasets

__all__ = ["Merged", "merge_datasets"]
