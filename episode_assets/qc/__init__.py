"""Judging an episode: metrics, checks, a score with reasons, the intervals worth keeping, and a page to read.

Checks yield evidence (numbers, frame ranges); `scoring` and `intervals` turn it into judgement. Numbers about raw
pictures are taken in `anonymization`, never here, and nothing here performs the privacy audit: it repeats it.
"""

from episode_assets.qc.config import QualityConfig
from episode_assets.qc.document import SCHEMA, SCHEMA_VERSION
from episode_assets.qc.quality import check_quality

__all__ = ["SCHEMA", "SCHEMA_VERSION", "QualityConfig", "check_quality"]
