"""A real S3 server on this machine, for every test that wants an object store."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

BUCKET = "episode-assets-tests"


@pytest.fixture(scope="session")
def s3_bucket() -> Iterator[str]:
    """Start an S3 server for this session, lead the AWS_* variables to it, and return the address of a bucket."""
    server_module = pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "tests")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("HTTP_PROXY", "http_proxy", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3"):
            environment.delenv(name, raising=False)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}"
    server.stop()
