"""Hands are counted for the frame of their message, whatever the order in which messages were sent."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.gathering import HANDS, read_hand_table


def test_hands_are_counted_where_message_numbers_do_not_ascend(clean, evidence):
    order = np.arange(len(evidence))
    order[20:100] = order[20:100].reshape(-1, 2)[:, ::-1].ravel()
    table = read_hand_table(clean.hands / HANDS, evidence.message_number[order])

    assert table.per_frame.sum() == evidence.hands.per_frame.sum() > 0
    np.testing.assert_array_equal(table.per_frame, evidence.hands.per_frame[order])
