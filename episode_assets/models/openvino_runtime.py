"""OpenVINO without its reporter: what every network of the package that runs on OpenVINO loads it by.

A plain `import openvino` writes an identifier into the home directory and tells www.google-analytics.com that it was
imported (checked with 2026.4.1 and openvino-telemetry 2025.2.0). Where the reporting package cannot be imported,
OpenVINO does without.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from episode_assets.models.packages import load_package, require_package

REMEDY = "pip install openvino"
_REPORTER = "openvino_telemetry"

ONE_THREAD: Mapping[str, Any] = MappingProxyType(
    {
        # Several threads would add in another order.
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # A pinned thread of one worker would share its core with that of the next.
        "ENABLE_CPU_PINNING": False,
    }
)
"""How networks run here: workers are processes, and bits do not depend on how many cores there are."""


def load_openvino() -> Any:
    """Import and return OpenVINO; its reporter stays out of this process, unless somebody imported it before.

    Raises:
        ModelMissing: OpenVINO is not installed.
    """
    sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]  # Python's own sign for "not there"
    return load_package("openvino", remedy=REMEDY)


def require_openvino() -> None:
    """Look for OpenVINO without loading it.

    Raises:
        ModelMissing: It is not installed.
    """
    require_package("openvino", remedy=REMEDY)
