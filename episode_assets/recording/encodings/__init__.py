"""Messages from payloads: CDR, ROS 1, protobuf and JSON, each to the rows of `rows` or to plain values.

Which topic is which stream is decided outside, in `roles`.
"""
