"""Measures reading: inspect, one pass against the `mcap` package's own loop, memory, and bytes over the whole graph.

Prints numbers and asserts nothing; machines are noisy, so look at the ratios. Files are written by the `mcap` package
into a temporary directory (`--directory` says where) and deleted at the end unless `--keep`.

    python benchmarks/reading.py --gigabytes 2       inspect, memory, speed, bytes of one pass
    python benchmarks/reading.py --parts graph       bytes that the whole graph reads

Two kinds of recordings: `pictures` is the mix of the phone app (15 Hz JPEG of 146 kB and depth of 98 kB, calibration,
pose and tf with each, IMU at 100 Hz, tracking at 60 Hz); `numbers` is IMU, pose and tf alone, some 250 bytes a
message. The other loop is `for record in StreamReader(file).records`, which parses records and decodes nothing; it
checks no checksums, the walk always does. Both run in turn, in one process; the ratio is the
median of the rounds. CPU seconds of all threads are compared, since other load disturbs them little; the digest runs in
a thread of its own, so that on two idle cores it takes less time than it costs.
The bytes of the graph, whose assets read in processes of their own, are counted by the S3 server that holds the
recording: what a process counts of itself misses others, and what the kernel counts misses the page cache.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer

from episode_assets.demo import DemoConfig, messages, write_demo
from episode_assets.demo.schemas import TOPICS, schema_text
from episode_assets.recording import inspect, read_messages
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.source import Source
from episode_assets.recording.survey import Logs

FIRST_NS, TICK_NS = 151_283_417_203_125, 66_666_667
JPEG_BYTES = 146_000
COMPRESSIONS = {"none": CompressionType.NONE, "zstd": CompressionType.ZSTD, "lz4": CompressionType.LZ4}
CHUNK_BYTES = 1 << 20
PARTS = ("inspect", "speed", "bytes", "graph")
CLIENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
Payload = tuple[str, int, bytes]


def numbers(tick: int, stamp: int) -> Iterator[Payload]:
    pose = messages.StampedPose(stamp, np.array([0.1, tick * 1e-4, 0.3]), np.array([0.0, 0.0, 0.0, 1.0]))
    edge = messages.Transform("world", "camera_link", pose.translation, pose.quaternion_xyzw)
    yield "/camera/pose", stamp, messages.pose_stamped(pose)
    yield "/tf", stamp, messages.tf(stamp, [edge])
    for index in range(7):
        at = stamp + index * 9_500_000
        yield (
            "/device/imu",
            at,
            messages.imu(
                at,
                "imu_frame",
                orientation_xyzw=pose.quaternion_xyzw,
                angular_velocity=np.zeros(3),
                linear_acceleration=np.full(3, tick * 1e-3),
                orientation_variance=1e-3,
                angular_variance=1e-3,
            ),
        )


def pictures(tick: int, stamp: int) -> Iterator[Payload]:
    rng = np.random.default_rng(tick)
    size = int(JPEG_BYTES * rng.uniform(0.9, 1.1))
    depth = (800 + rng.integers(0, 8, (192, 256)) + np.arange(256)).astype(np.uint16)
    K = np.array([615.0, 0.0, 640.0, 0.0, 615.0, 360.0, 0.0, 0.0, 1.0]).reshape(3, 3)
    yield "/camera/camera_info", stamp, messages.camera_info(stamp, width=1280, height=720, K=K)
    yield from numbers(tick, stamp)
    yield "/camera/depth", stamp, messages.depth_image(stamp, depth)
    jpeg = b"\xff\xd8\xff\xe0" + rng.bytes(size) + b"\xff\xd9"
    yield "/camera/rgb/compressed", stamp, messages.compressed_image(stamp, jpeg)
    for index in range(4):
        at = stamp + index * 16_666_667
        yield "/camera/tracking_state", at, messages.tracking_state(at, state=2, reason=0)


KINDS: dict[str, Callable[[int, int], Iterator[Payload]]] = {"pictures": pictures, "numbers": numbers}


def write(path: Path, kind: str, compression: str, size: float) -> Path:
    """Write a recording of about `size` bytes."""
    with path.open("wb") as file:
        writer = Writer(file, compression=COMPRESSIONS[compression], chunk_size=CHUNK_BYTES)
        writer.start("ros2", "benchmark")
        schemas: dict[str, int] = {}
        channels: dict[str, int] = {}
        tick = 0
        while file.tell() < size:
            stamp = FIRST_NS + tick * TICK_NS
            for topic, at, payload in KINDS[kind](tick, stamp):
                if topic not in channels:
                    name = TOPICS[topic]
                    text = schema_text(name).encode()
                    schema = schemas.setdefault(name, 0) or writer.register_schema(name, "ros2msg", text)
                    schemas[name] = schema
                    channels[topic] = writer.register_channel(topic, "cdr", schema)
                writer.add_message(channels[topic], at, payload, at)
            tick += 1
        writer.finish()
    return path


def walk(path: Path, *, with_digest: bool) -> int:
    """Read and decode as `scan_recording` does, without writing."""
    with Source(str(path)) as source:
        opened = open_walk(source, max_chunk_bytes=1 << 29, with_digest=with_digest)
        logs = Logs(opened.container)
        for message in opened.messages():
            logs.add(message)
        opened.sha256()
        return logs.messages


def their_loop(path: Path) -> int:
    count = 0
    with path.open("rb") as file:
        for record in StreamReader(file).records:
            count += isinstance(record, Message)
    return count


def cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(path: Path, label: str, rounds: int) -> None:
    theirs, plain, digesting = list[float](), list[float](), list[float]()
    count = their_loop(path)
    for _ in range(rounds):
        theirs.append(cpu_seconds(lambda: their_loop(path)))
        plain.append(cpu_seconds(lambda: walk(path, with_digest=False)))
        digesting.append(cpu_seconds(lambda: walk(path, with_digest=True)))
    size = path.stat().st_size / 1e6

    def ratio(ours: list[float]) -> float:
        return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))

    def rate(times: list[float]) -> float:
        return size / statistics.median(times)

    print(
        f"{label:16s} {size:6.0f} MB {count:8d} messages: StreamReader {rate(theirs):5.0f} MB/s, walk and decode "
        f"{rate(plain):5.0f} MB/s = {100 * ratio(plain):4.0f} %, with SHA-256 {rate(digesting):5.0f} MB/s = "
        f"{100 * ratio(digesting):4.0f} %",
        flush=True,
    )


def peak_mb(action: str, path: Path) -> float:
    """Return the peak resident memory of a process of its own that only scans or inspects."""
    code = (
        "import sys, tempfile, resource; from pathlib import Path\n"
        "from episode_assets.recording import inspect, scan_recording\n"
        "path, action = sys.argv[1:]\n"
        "with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:\n"
        "    inspect(path) if action == 'inspect' else scan_recording(path, Path(folder), recording_id='rec-0')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), action], capture_output=True, check=True)
    return int(done.stdout) / 1024


def measure_speed(folder: Path, size: float, rounds: int) -> None:
    for kind in KINDS:
        for compression in COMPRESSIONS:
            # Small messages cost by their number: an eighth of the bytes takes as long.
            path = write(folder / "speed.mcap", kind, compression, size if kind == "pictures" else size / 8)
            compare(path, f"{kind}, {compression}", rounds)


def measure_inspect_and_memory(folder: Path, size: float) -> None:
    for part in (1 / 8, 1 / 2, 1):
        path = write(folder / "memory.mcap", "pictures", "none", size * part)
        inspect(str(path))
        began = time.perf_counter()
        inspect(str(path))
        took = time.perf_counter() - began
        print(
            f"{path.stat().st_size / 1e6:6.0f} MB: inspect {took:.3f} s warm, peak {peak_mb('inspect', path):.0f} MB; "
            f"scan peak {peak_mb('scan', path):.0f} MB",
            flush=True,
        )


def measure_bytes(folder: Path) -> None:
    for compression in ("none", "zstd"):
        path = write(folder / "bytes.mcap", "pictures", compression, 50e6)
        reader = read_messages(str(path))
        messages = sum(1 for _ in reader)
        times = reader.bytes_read / path.stat().st_size
        print(f"one pass over all streams, {compression}: {messages} messages, {times:.3f} times the file")


def repack(source: Path, target: Path, compression: str) -> Path:
    """Write the messages of a recording anew into chunks of 1 MiB that mix all topics."""
    with source.open("rb") as file, target.open("wb") as packed:
        writer = Writer(packed, compression=COMPRESSIONS[compression], chunk_size=CHUNK_BYTES)
        writer.start("ros2", "benchmark")
        channels: dict[int, int] = {}
        schemas: dict[int, int] = {}
        for schema, channel, message in make_reader(file).iter_messages(log_time_order=False):
            assert schema is not None
            if schema.id not in schemas:
                schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
            if channel.id not in channels:
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, schemas[schema.id]
                )
            writer.add_message(
                channels[channel.id], message.log_time, message.data, message.publish_time, message.sequence
            )
        writer.finish()
    return target


def measure_graph(folder: Path, seconds: float, recording: Path | None) -> None:
    import boto3  # type: ignore[import-untyped]

    from episode_assets_tests.counting_server import counting_server

    plain = folder / "uncompressed.mcap"
    if recording is None:
        write_demo(plain, config=DemoConfig(seconds=seconds))
    else:
        shutil.copyfile(recording, plain)
    files = [plain, repack(plain, folder / "zstd.mcap", "zstd")]
    with counting_server() as (counter, endpoint):
        environment = {**os.environ, **CLIENT, "AWS_ENDPOINT_URL": endpoint}
        os.environ.update(environment)
        client = boto3.client("s3")
        client.create_bucket(Bucket="recordings")
        for file in files:
            client.upload_file(str(file), "recordings", file.name)
            home = folder / file.stem
            environment |= {
                "DAGSTER_HOME": str(home / "dagster"),
                "EPISODE_ASSETS_STORE": str(home / "store"),
            }
            counter.reset()
            command = [sys.executable, "-m", "episode_assets.cli", "run", f"s3://recordings/{file.name}"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            times = counter.sent_bytes / file.stat().st_size
            print(
                f"graph, {file.stem}, {file.stat().st_size / 1e6:.0f} MB: {times:.2f} times the file in "
                f"{counter.requests} requests, exit code {done.returncode}"
            )
            print(done.stdout + done.stderr[-2000:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where files are written; default: the temporary one")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the demo that the graph reads")
    parser.add_argument("--recording", type=Path, help="uncompressed recording that the graph reads instead")
    parser.add_argument("--keep", action="store_true", help="do not delete the last file of each kind")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["inspect", "speed", "bytes"])
    arguments = parser.parse_args()
    size = arguments.gigabytes * 1e9
    with ExitStack() as cleaning:
        folder = Path(tempfile.mkdtemp(prefix="reading-", dir=arguments.directory))
        if not arguments.keep:
            cleaning.callback(shutil.rmtree, folder)
        if "inspect" in arguments.parts:
            measure_inspect_and_memory(folder, size)
        if "speed" in arguments.parts:
            measure_speed(folder, size, arguments.rounds)
        if "bytes" in arguments.parts:
            measure_bytes(folder)
        if "graph" in arguments.parts:
            measure_graph(folder, arguments.seconds, arguments.recording)


if __name__ == "__main__":
    main()
