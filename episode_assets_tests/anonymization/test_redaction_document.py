"""What people write down is understood to its last name, or refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from episode_assets.anonymization import (
    DrawnArea,
    FindException,
    RedactionDocument,
    document_of,
    read_redactions,
)
from episode_assets.anonymization.redaction import polygon_rectangles
from episode_assets.anonymization.redaction_document import Span
from episode_assets.errors import BadConfig

HEAD = "schema: episode_assets.redactions\nschema_version: 1\n"


def entry(text: str) -> bytes:
    return f"{HEAD}redactions:\n  - {{{text}}}\n".encode()


def test_every_kind_of_entry_is_read_as_it_was_written() -> None:
    said = read_redactions(
        f"""{HEAD}redactions:
  - reason: screen
    box: [100, 80.5, 300, 240]
    seconds: [3.2, 5]
  - reason: cut-me-out
    polygon: [[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]
    relative: true
    messages: [120, 180]
  - {{reason: document, picture: whole, stamps_ns: [1700000000000000001, 1700000000000000002]}}
  - {{reason: mirror, box: [0, 0, 10, 10], recording: whole}}
exceptions:
  - {{reason: poster, video: "{"5a" * 32}", box: [4, 8, 46, 14.5], messages: [96, 98]}}
""".encode(),
        where="x",
    )

    assert said.areas == (
        DrawnArea("screen", "box", ((100, 80.5), (300, 240)), False, Span("seconds", 3.2, 5)),
        DrawnArea(
            "cut-me-out", "polygon", ((0.1, 0.2), (0.9, 0.2), (0.5, 0.9)), True, Span("messages", 120, 180)
        ),
        DrawnArea(
            "document", "picture", (), False, Span("stamps_ns", 1700000000000000001, 1700000000000000002)
        ),
        DrawnArea("mirror", "box", ((0, 0), (10, 10)), False, None),
    )
    assert said.exceptions == (FindException("poster", "5a" * 32, (4, 8, 46, 14.5), 96, 98),)
    assert read_redactions(document_of(said), where="again") == said


def test_an_empty_document_says_nothing() -> None:
    assert read_redactions(b" \n", where="x") == RedactionDocument()
    assert read_redactions(f"{HEAD}redactions: []\n".encode(), where="x") == RedactionDocument()
    assert document_of(RedactionDocument()) == b""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("reason: screen, bxo: [1, 2, 3, 4], recording: whole", "unknown name 'bxo'"),
        ("reason: screen, box: [1, 2, 3, 4]", "none of messages, seconds, stamps_ns, recording"),
        ("reason: screen, recording: whole", "none of box, polygon, picture"),
        ("reason: screen, box: [1, 2, 3, 4], picture: whole, recording: whole", "box and picture"),
        ("reason: screen, box: [1, 2, 3, 4], seconds: [1, 2], recording: whole", "seconds and recording"),
        ("reason: Peter Smith, box: [1, 2, 3, 4], recording: whole", "reason is 'Peter Smith'"),
        ("box: [1, 2, 3, 4], recording: whole", "reason is None"),
        ("reason: screen, box: [3, 2, 1, 4], recording: whole", "no area"),
        ("reason: screen, box: [1, 2, 3], recording: whole", "not a list of 4 numbers"),
        ("reason: screen, box: [1, 2, 3, .nan], recording: whole", "not a list of 4 numbers"),
        ("reason: screen, box: [1, 2, 3, true], recording: whole", "not a list of 4 numbers"),
        ("reason: screen, box: [1, 2, 300, 4], relative: true, recording: whole", "beyond 0..1"),
        ("reason: screen, box: [1, 2, 3, 4], relative: 1, recording: whole", "relative is 1"),
        ("reason: screen, box: [1, 2, 3, 4], box: [9, 9, 10, 10], recording: whole", "'box' stands twice"),
        ("reason: screen, box: [1, 2, 3, 4], seconds: [5, 3.2]", "ends at 3.2 before it begins at 5"),
        ("reason: screen, box: [1, 2, 3, 4], messages: [1, 2.5]", "messages is"),
        ("reason: screen, box: [1, 2, 3, 4], frames: [1, 2]", "numbered anew.*remedy: name messages"),
        ("reason: screen, box: [1, 2, 3, 4], recording: all", "'whole' is expected"),
        ("reason: screen, polygon: [[1, 2], [3, 4]], recording: whole", "3 to 256 corners"),
        ("reason: s, polygon: [[0, 0], [9, 9], [9, 0], [0, 9]], recording: whole", "cross"),
        ("reason: s, box: [0.1, 0.1, 0.5, 0.5], recording: whole", "no larger than a pixel.*relative"),
        ("reason: s, box: [1, 2, 3, 4], messages: [0100, 0150]", "'0100' begins with 0"),
        ("reason: s, box: !!float '', recording: whole", "not YAML"),
        ("reason: s, polygon: [[0, 0], [9, 0], [4, 0]], recording: whole", "cross"),
        ("reason: s, polygon: [[0, 0], [9, 0], [9, 9], [9, 9]], recording: whole", "cross"),
    ],
)
def test_a_slip_of_the_pen_is_one_clear_error(wrong: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words) as caught:
        read_redactions(entry(wrong), where="kitchen.redactions.yaml")

    assert "kitchen.redactions.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"redactions: []",
        b"- 1",
        b"{",
        b"\xff\xfe\x00",
        HEAD.encode(),
        f"{HEAD}redactions: {{}}".encode(),
        f"{HEAD}redactions: [3]".encode(),
        f"{HEAD}redactions: []\nexception: []".encode(),
        f"{HEAD}redactions: []\nexceptions: 3".encode(),
        HEAD.replace("1", "2").encode() + b"redactions: []",
        b"!!python/object/apply:os.getcwd []",
    ],
)
def test_what_is_no_such_document_is_refused(text: bytes) -> None:
    with pytest.raises(BadConfig):
        read_redactions(text, where="x")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("reason: poster, box: [1, 2, 3, 4], messages: [1, 2]", "video is None"),
        ("reason: poster, video: 5a1f, box: [1, 2, 3, 4], messages: [1, 2]", "video is '5a1f'"),
        (f"reason: poster, video: '{'5' * 64}', messages: [1, 2]", "not a list of 4 numbers"),
        (f"reason: poster, video: '{'5' * 64}', box: [1, 2, 3, 4]", "none of messages"),
        (f"reason: poster, video: '{'5' * 64}', box: [1, 2, 3, 4], recording: whole", "unknown name"),
        (f"reason: poster, video: '{'5' * 64}', picture: whole, messages: [1, 2]", "unknown name"),
    ],
)
def test_an_exception_must_name_video_box_and_messages(wrong: str, words: str) -> None:
    text = f"{HEAD}redactions: []\nexceptions:\n  - {{{wrong}}}\n".encode()

    with pytest.raises(BadConfig, match=words):
        read_redactions(text, where="x")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(text: bytes) -> None:
    for content in (text, HEAD.encode() + b"redactions:\n - " + text):
        try:
            read_redactions(content, where="x")
        except BadConfig:
            continue


CORNERS = st.tuples(st.floats(-20, 90), st.floats(-20, 70))


@given(st.tuples(CORNERS, CORNERS, CORNERS), st.sampled_from([(64, 48), (63, 47)]))
def test_a_polygon_is_covered_and_little_else(
    triangle: tuple[tuple[float, float], ...], size: tuple[int, int]
) -> None:
    """Held against the distance of every pixel's centre to the triangle's three sides."""
    corners = np.array(triangle)
    sides = np.roll(corners, -1, axis=0) - corners
    area = sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0]
    assume(abs(area) > 1)
    width, height = size
    painted = np.zeros((height + 1, width + 1), int)
    for x0, y0, x1, y1 in polygon_rectangles(corners, width=width, height=height):
        assert (x0 % 2, y0 % 2, x1 % 2, y1 % 2) == (0, 0, 0, 0)
        painted[y0:y1, x0:x1] += 1

    rows, columns = np.mgrid[:height, :width] + 0.5
    inward = [
        np.sign(area) * (side[0] * (rows - corner[1]) - side[1] * (columns - corner[0])) / np.hypot(*side)
        for corner, side in zip(corners, sides, strict=True)
    ]
    depth = np.min(inward, axis=0)
    assert painted.max(initial=0) <= 1
    assert painted[:height, :width][depth > 0.3].all()
    assert not painted[:height, :width][depth < -3].any()
