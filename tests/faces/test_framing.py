"""Frames and crops, worked out by hand."""

from __future__ import annotations

import pytest

from facegauge.errors import UsageError
from facegauge.faces.framing import crop_frames, frame_around, is_framed, part_of
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face


def test_frame_gives_the_face_its_share() -> None:
    spec = PreprocessSpec()
    # a face box of just the aspect ratio that the spec expects
    box = Box(100, 50, 100 + 2 * 0.485 * 178, 50 + 2 * 0.536 * 218)
    frame = frame_around(Face(box, 0.9), spec)
    assert (frame.width, frame.height) == pytest.approx((2 * 178, 2 * 218))
    assert box.width / frame.width == pytest.approx(spec.face_width)
    assert box.height / frame.height == pytest.approx(spec.face_height)
    assert ((box.left + box.right) / 2 - frame.left) / frame.width == pytest.approx(spec.center_x)
    assert ((box.top + box.bottom) / 2 - frame.top) / frame.height == pytest.approx(spec.center_y)


def test_frame_of_an_odd_face_keeps_the_inputs_shape_and_splits_the_difference() -> None:
    spec = PreprocessSpec(width=100, height=200, face_width=0.5, face_height=0.5)
    frame = frame_around(Face(Box(0, 0, 200, 100), 0.9), spec)  # asks for 4 by width, 1 by height
    assert (frame.width, frame.height) == pytest.approx((200, 400))


def test_a_frame_may_have_another_shape_than_the_input() -> None:
    spec = PreprocessSpec(width=300, height=300, aspect=0.8, face_width=0.5, face_height=0.4)
    frame = frame_around(Face(Box(0, 0, 40, 40), 0.9), spec)
    assert (frame.width, frame.height) == pytest.approx((80, 100))


def test_the_input_is_cut_out_of_the_frame_by_whole_pixels() -> None:
    spec = PreprocessSpec(width=30, height=30, crop_mode="crop", crop_pct=0.75)
    frame = Box(10, 20, 90, 80)  # 80 x 60; its short side becomes 40
    shown = part_of(frame, spec, 0, 0)
    assert (shown.left, shown.top, shown.width, shown.height) == pytest.approx((10, 20, 45, 45))
    shown = part_of(frame, spec, 1, 1)
    # the frame becomes 53.3 x 40: 23 and 10 pixels are left of it, each 1.5 of the picture's
    assert (shown.left, shown.top) == pytest.approx((10 + 23 * 1.5, 20 + 10 * 1.5))
    assert part_of(frame, PreprocessSpec()) == frame


def test_is_framed_has_its_tolerance_on_every_side() -> None:
    spec = PreprocessSpec(framed_tolerance=0.1)
    assert is_framed(Box(0, 0, 100, 200), 100, 200, spec)
    assert is_framed(Box(-9.9, 19.9, 90.1, 219.9), 100, 200, spec)
    for off in (Box(-10.1, 0, 89.9, 200), Box(0, 20.1, 100, 220.1), Box(0, 0, 100, 175)):
        assert not is_framed(off, 100, 200, spec)


def test_crops_of_a_large_face_lie_close_around_its_frame_and_never_move() -> None:
    spec = PreprocessSpec(width=100, height=200, crops=4)
    frame = Box(-10, 20, 140, 320)  # 1.5 times the input
    crops = crop_frames(frame, spec)
    assert crops[0] == frame
    assert len(set(crops)) == 4
    for crop in crops:
        assert (crop.width, crop.height) == pytest.approx((150, 300))
        assert abs(crop.left - frame.left) <= 0.03 * 150
        assert abs(crop.top - frame.top) <= 0.03 * 300
    # the second place is (0.5 + 0.75487767, 0.5 + 0.56984029) modulo 1, of a square from -1 to 1
    assert crops[1].left == pytest.approx(-10 + (2 * 0.25487767 - 1) * 4.5)
    assert crops[1].top == pytest.approx(20 + (2 * 0.06984029 - 1) * 9)


def test_only_large_faces_have_crops_and_only_if_asked() -> None:
    spec = PreprocessSpec(width=100, height=200, crops=4)
    for small in (Box(0, 0, 149, 400), Box(0, 0, 200, 299)):
        assert crop_frames(small, spec) == (small,)
    large = Box(0, 0, 1000, 2000)
    assert crop_frames(large, PreprocessSpec(width=100, height=200)) == (large,)
    with pytest.raises(UsageError, match="crops to be a whole number from 1 to 100, got 0"):
        PreprocessSpec(crops=0)
