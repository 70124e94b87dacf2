"""Chunks of rows on their way into a Rerun file: held until they are worth a chunk, then written, never kept.

What rerun raises becomes one error here. What is written under which path is decided in `rerun_file`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from episode_assets.bundle.rerun_columns import Moments
from episode_assets.bundle.rerun_names import APPLICATION
from episode_assets.errors import ViewFailed

CHUNK_ROWS = 256
CHUNK_BYTES = 2 << 20
"""Rows are written when they are so many, or so large: viewers load whole chunks, and each costs a kilobyte."""

UNWRITTEN_BYTES = 2 << 20
"""What rerun may hold that is not in the file yet; otherwise it holds whatever it is given faster than it writes."""


@dataclass(frozen=True)
class _Column:
    """A column as rerun takes it: what it is called, and a list of instances for every row."""

    descriptor: Any
    rows: pa.Array

    def component_descriptor(self) -> Any:
        return self.descriptor

    def as_arrow_array(self) -> pa.Array:
        return self.rows


@dataclass
class _Held:
    """Rows of one path that have the same columns."""

    descriptors: tuple[Any, ...]
    moments: list[Moments] = field(default_factory=list)
    columns: list[list[pa.Array]] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def add(self, moments: Moments, columns: list[pa.Array]) -> None:
        self.moments.append(moments)
        self.columns.append(columns)
        self.rows += len(moments)
        self.size += sum(column.nbytes for column in columns)

    @property
    def is_due(self) -> bool:
        return self.rows >= CHUNK_ROWS or self.size >= CHUNK_BYTES

    def joined(self) -> tuple[Moments, list[_Column]]:
        parts = [pa.concat_arrays(pieces) for pieces in zip(*self.columns, strict=True)]
        named = [_Column(*pair) for pair in zip(self.descriptors, parts, strict=True)]
        return Moments.joined(self.moments), named


class RerunStream:
    """A Rerun file that grows by chunks.

    Args:
        path: The file to write; replaced where it exists.
        recording_id: Names the recording inside the file; the same one gives the same.

    Raises:
        ViewFailed: From any function here: the rerun package is missing, is switched off, or could not write.
    """

    def __init__(self, path: Path, recording_id: str) -> None:
        self.path = path
        self._recording_id = recording_id
        self._held: dict[tuple[Any, ...], _Held] = {}
        self._unwritten = 0
        with self.failures():
            import rerun as rr

            self._stream = rr.RecordingStream(APPLICATION, recording_id=recording_id, send_properties=False)
            self._stream.save(path)
            self._stream.send_recording_name(recording_id)

    def static(self, path: str, thing: Any) -> None:
        """Write something that holds at all times."""
        self._stream.log(path, thing, static=True, strict=True)

    def send(self, path: str, moments: Moments, columns: Iterable[Any]) -> None:
        """Write rows; they are joined with others of the same kind first.

        Args:
            path: The entity.
            moments: When each row holds; within one entity and kind in order.
            columns: What the `columns` functions of rerun's archetypes return.
        """
        listed = list(columns)
        descriptors = tuple(column.component_descriptor() for column in listed)
        key = (path, moments.frame is None, *(str(descriptor) for descriptor in descriptors))
        held = self._held.setdefault(key, _Held(descriptors))
        held.add(moments, [column.as_arrow_array() for column in listed])
        if held.is_due:
            self._write(path, self._held.pop(key))

    def blueprint(self, layout: Any) -> None:
        """Write how the file opens."""
        self._stream.send_blueprint(layout)

    def close(self) -> None:
        """Write what is held, finish the file and see that it reads back."""
        with self.failures():
            from rerun.chunk import RrdReader

            for key, held in self._held.items():
                self._write(key[0], held)
            self._held.clear()
            self._stream.flush()
            self._let_go()
            found = {entry.recording_id for entry in RrdReader(self.path).recordings()}
        if self._recording_id not in found:
            raise ViewFailed("the Rerun file does not read back", where=self.path.name)

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._held.clear()
        self._let_go()

    def _let_go(self) -> None:
        """Disconnect, and end the stream's threads: rerun keeps two for every stream that there ever was."""
        import rerun as rr

        self._stream.disconnect()
        del self._stream
        rr.bindings.flush_and_cleanup_orphaned_recordings()

    def _write(self, path: str, held: _Held) -> None:
        moments, columns = held.joined()
        self._stream.send_columns(path, moments.columns(), columns, strict=True)
        self._unwritten += held.size
        if self._unwritten > UNWRITTEN_BYTES:
            self._stream.flush()
            self._unwritten = 0

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn what the rerun package raises into one error, and make it raise instead of warn."""
        try:
            from rerun.error_utils import catch_and_log_exceptions

            with catch_and_log_exceptions(strict=True):
                yield
        except (ImportError, OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise ViewFailed(
                f"the Rerun file could not be written ({type(error).__name__})",
                where=self.path.name,
                remedy="check the installation of rerun-sdk, or set visualization: false",
            ) from error
