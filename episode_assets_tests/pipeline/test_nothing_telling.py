"""Names of people, places, devices and files stay in the recording: no byte of a bundle or a report holds them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from mcap.reader import make_reader
from mcap.writer import Writer

from episode_assets import models
from episode_assets.bundle import BundleConfig
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.errors import ModelMissing
from episode_assets.pipeline import STEPS, bring_up_to_date
from episode_assets.storage import Artifact, Store

FILE = "zebedee at the harbour.mcap"
SECRETS = {
    "device_model": "Quokkaphone 9",
    "device_name": "Zebedee's Quokka",
    "location": "59.9139N 10.7522E Oslostrand",
    "storage.path": "/Users/zebedee/Oslostrand",
}
ATTACHMENT = ("zebedee-notes.txt", b"Zebedee lives in Oslostrand 7")
WORDS = ("quokka", "zebedee", "oslostrand", "59.9139", "harbour")


def telling(folder: Path) -> Path:
    """A demo recording with a device, a place, an attachment, and a file name that says whose it is."""
    plain = folder / "plain.mcap"
    write_demo(plain, config=DemoConfig(seconds=0.4, width=320, height=180, with_face=False))
    target = folder / FILE
    with plain.open("rb") as source, target.open("wb") as out:
        reader, writer = make_reader(source), Writer(out)
        writer.start(profile="ros2", library="Quokka writer of Zebedee")
        schemas: dict[int, int] = {}
        channels: dict[int, int] = {}
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            assert schema is not None
            if schema.id not in schemas:
                schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
            if channel.id not in channels:
                channels[channel.id] = writer.register_channel(channel.topic, "cdr", schemas[schema.id])
            writer.add_message(channels[channel.id], message.log_time, message.data, message.publish_time)
        writer.add_metadata("session_metadata", SECRETS)
        writer.add_attachment(0, 0, ATTACHMENT[0], "text/plain", ATTACHMENT[1])
        writer.finish()
    plain.unlink()
    return target


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    try:
        models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("telling")
    recording, store = telling(folder), Store.open(str(folder / "store"))
    name = store.recordings.register(str(recording), recording_ids="digest").recording_id
    configs: dict[str, Any] = {"episode_bundle": BundleConfig(hands_preview=True)}
    return {
        step.asset: bring_up_to_date(store, step, name, configs.get(step.asset, step.config_type())).artifact
        for step in STEPS
    }


def texts_of(path: Path) -> Iterator[str]:
    """Yield the bytes of a file as text, and what compression hides in them."""
    data = path.read_bytes()
    yield data.decode("latin-1")
    yield data.decode("utf-16-le", errors="ignore")
    if path.suffix == ".parquet":
        table = pq.read_table(io.BytesIO(data))
        yield f"{table.schema} {table.schema.metadata} {table.to_pylist()}"
    if path.suffix == ".hdf5":
        with h5py.File(path) as file:
            yield str(dict(file.attrs))
            found: list[str] = []
            file.visititems(lambda name, item: found.append(f"{name} {dict(item.attrs)} {text_in(item)}"))
            yield " ".join(found)


def text_in(item: object) -> str:
    is_text = isinstance(item, h5py.Dataset) and item.dtype.kind in "SO"
    return str(np.asarray(item).tolist()) if is_text else ""


@pytest.mark.parametrize("asset", ["blurred_rgb", "hand_poses", "scene_mesh", "episode_bundle", "qc_report"])
def test_no_published_file_downstream_holds_a_telling_word(
    published: dict[str, Artifact], asset: str
) -> None:
    folder = published[asset].directory()
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]

    found = [
        (str(path.relative_to(folder)), word)
        for path in files
        for text in texts_of(path)
        for word in WORDS
        if word in text.lower()
    ]

    assert {"manifest.json"} <= {path.name for path in files}
    assert len(files) >= 3
    assert found == []


def test_the_words_were_there_to_be_found(published: dict[str, Artifact]) -> None:
    folder = published["raw_mcap"].directory()
    everything = " ".join(
        text.lower() for path in folder.rglob("*") if path.is_file() for text in texts_of(path)
    )

    assert published["episode_bundle"].key.recording_id is not None
    assert published["episode_bundle"].key.recording_id.startswith("r-")
    assert {"quokka", "zebedee", "oslostrand"} <= {word for word in WORDS if word in everything}
