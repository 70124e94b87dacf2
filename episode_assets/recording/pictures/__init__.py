"""Pictures of a recording: where groups of video pictures start, which format a payload is, depth as millimetres.

Colour pictures are decoded by the room `video`.
"""
