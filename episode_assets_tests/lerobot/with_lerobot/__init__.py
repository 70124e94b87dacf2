"""Checks that run inside LeRobot's own environment; nothing here imports `episode_assets`, so no mistake is shared.

Each check takes datasets, prints what it saw and returns what is wrong, in words. `verify_with_lerobot` runs them.
"""
