"""The table of task texts: written so that readers with and without pandas find the text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

UNLABELLED = "unlabelled"
"""The task of rows without language; the format demands one."""

_PANDAS_VERSION = "2.2.0"


def clean_text(text: str | None) -> str:
    """Return a text on one line, without characters that show nothing; empty where there are no words."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text or "")
    return " ".join(shown.split())


def task_of(text: str | None) -> str:
    """Return the task text of a recording, or the word for none."""
    return clean_text(text) or UNLABELLED


def first_appearances(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct texts in the order in which they first appear; a text's position is its task index."""
    return tuple(dict.fromkeys(texts))


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write `tasks.parquet`: row i holds task index i."""
    table = pa.table(
        {"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())}
    )
    table = table.replace_schema_metadata({b"pandas": _pandas_metadata()})
    pq.write_table(table, path, compression="snappy")


def read_tasks(path: Path) -> tuple[str, ...]:
    """Return the task texts by task index."""
    table = pq.read_table(path)
    return tuple(str(text) for text in table["task"].to_pylist())


def _pandas_metadata() -> bytes:
    # LeRobot reads this file with pandas and takes the frame's index as the text. Without this note the index is
    # the row number, and every item's task silently becomes a number.
    columns = [
        _pandas_column("task_index", "int64", "int64"),
        _pandas_column("task", "unicode", "object"),
    ]
    index = {**_pandas_column(None, "unicode", "object"), "metadata": {"encoding": "UTF-8"}}
    document = {
        "index_columns": ["task"],
        "column_indexes": [index],
        "columns": columns,
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": _PANDAS_VERSION,
    }
    return json.dumps(document, sort_keys=True).encode()


def _pandas_column(name: str | None, pandas_type: str, numpy_type: str) -> dict[str, object]:
    return {
        "name": name,
        "field_name": name,
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": None,
    }
