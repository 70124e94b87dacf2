"""Recording files as bytes: MCAP, ROS 1 bags, SQLite bags, local or remote; walked past damage, payloads by place.

What a payload means belongs to `encodings`.
"""
