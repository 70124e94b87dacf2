"""Tests of the store: every promise on a local directory and on a real S3 server."""
