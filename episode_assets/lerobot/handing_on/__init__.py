"""How a dataset leaves the store: as a writable copy, as a public one that leads back to nobody, or to the Hub.

What is in a public copy and what is not is decided in `public_fields` and nowhere else.
"""

from episode_assets.lerobot.handing_on.copies import copy_dataset
from episode_assets.lerobot.handing_on.hub import HubApi, push_dataset
from episode_assets.lerobot.handing_on.public import PublicCopy, publish_copy

__all__ = ["HubApi", "PublicCopy", "copy_dataset", "publish_copy", "push_dataset"]
