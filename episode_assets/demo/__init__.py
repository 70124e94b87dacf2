"""Makes demo recordings: the phone app's file layout, a rendered scene, and its truth from geometry.

The tests use it everywhere and so does the first run of a new user. It imports no reader of ours, so that a recording
made here also checks the reader. An option goes into `config`, a new thing in the picture into a module of its own.
"""

from episode_assets.demo.barcode import paint_barcode, read_barcode
from episode_assets.demo.config import DemoConfig
from episode_assets.demo.recorder import write_demo
from episode_assets.demo.truth import HAND_SIDES, DemoTruth

__all__ = ["HAND_SIDES", "DemoConfig", "DemoTruth", "paint_barcode", "read_barcode", "write_demo"]
