import math

import pytest

from fitbench.analysis.axes import (
    UNLIMITED,
    Axis,
    axis_of,
    different,
    enclosed,
    is_logarithmic,
    number,
    tick_texts,
    window,
)

ACCURACY = (0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "limits", "log"),
    [
        ([1e3, 9e3], (0, math.inf), False),
        ([1e3, 1e4], (0, math.inf), True),
        ([0.05, 0.95], ACCURACY, False),  # its range has two ends
        ([0.0, 5.0], (0, math.inf), False),
        ([-10.0, 1000.0], (-math.inf, math.inf), False),
        ([math.nan, 1.0, 20.0, math.inf], (0, math.inf), True),
        ([], (0, math.inf), False),
    ],
)
def test_an_axis_is_logarithmic_where_positive_values_span_a_factor_of_ten(values, limits, log):
    assert is_logarithmic(values, limits) is log


@pytest.mark.parametrize(
    ("values", "limits", "ends"),
    [
        ([0.0, 10.0], (-math.inf, math.inf), (-0.4, 10.4)),
        ([0.9, 1.0], ACCURACY, (0.896, 1.0)),
        ([0.5, 1.5], ACCURACY, (0.46, 1.54)),  # a value that is outside says that the range is wrong
        ([1.0, 1.0], ACCURACY, (0.95, 1.0)),
        ([0.0], (-math.inf, math.inf), (-0.5, 0.5)),
        ([math.nan], (-math.inf, math.inf), (-0.04, 1.04)),
    ],
)
def test_the_range_is_that_of_the_values_with_a_margin_inside_of_the_limits(values, limits, ends):
    axis = axis_of(values, limits, margin=0.04)
    assert (axis.low, axis.high) == pytest.approx(ends)


def test_the_margin_of_a_logarithmic_axis_is_a_factor():
    axis = axis_of([1.0, 1e4], margin=0.25)
    assert axis.log
    assert (axis.low, axis.high) == pytest.approx((0.1, 1e5))
    assert axis.place(1e2) == pytest.approx(0.5)
    assert axis_of([0.0, 1.0, 2.0], log=True).low > 0.5  # what is not positive has no place


@pytest.mark.parametrize(
    ("axis", "most", "whole", "ticks"),
    [
        (Axis(0.0, 1.0), 6, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis(0.88, 0.97), 5, False, [0.88, 0.9, 0.92, 0.94, 0.96]),
        (Axis(-0.3, 0.3), 4, False, [-0.2, 0, 0.2]),
        (Axis(0.1, 0.95), 4, False, [0.2, 0.4, 0.6, 0.8]),
        (Axis(0.5, 4.5), 8, True, [1, 2, 3, 4]),
        (Axis(1, 100), 8, True, [20, 40, 60, 80, 100]),
        (Axis(900, 12_000, log=True), 5, False, [1000, 2000, 5000, 10_000]),
        (Axis(1, 1000, log=True), 5, False, [1, 10, 100, 1000]),
        (Axis(1, 1e12, log=True), 5, False, [1, 1e3, 1e6, 1e9, 1e12]),
        (Axis(3.1, 4.2, log=True), 5, False, [3.5, 4]),
        (Axis(1e16, 1e16 + 4), 5, False, [1e16, 1e16 + 4]),  # floats cannot count up to them
    ],
)
def test_ticks_are_round_numbers_of_one_step_or_decade(axis, most, whole, ticks):
    assert axis.ticks(most, whole) == pytest.approx(ticks)


def test_ticks_have_the_same_decimals():
    assert tick_texts([0.9, 0.925, 0.95]) == ["0.900", "0.925", "0.950"]
    assert tick_texts([-0.2, -0.0, 0.2]) == ["-0.2", "0.0", "0.2"]
    assert tick_texts([0.0, 20_000.0]) == ["0", "20k"]
    assert tick_texts([5000.0, 10_000.0]) == ["5k", "10k"]
    assert tick_texts([0.001, 0.01, 1.0], log=True) == ["0.001", "0.01", "1"]
    assert tick_texts([1e-12, 2e-12]) == ["1e-12", "2e-12"]


def test_ticks_have_as_many_digits_as_tell_them_apart():
    assert tick_texts([101_300.0, 101_320.0, 101_340.0]) == ["101.3k", "101.32k", "101.34k"]
    assert tick_texts([101_250.0, 101_300.0, 101_350.0]) == ["101.25k", "101.3k", "101.35k"]
    assert tick_texts([1000.5, 1001.0, 1001.5], log=True) == ["1000.5", "1001", "1001.5"]
    assert tick_texts([0.25, 0.2500001, 0.2500002]) == ["0.25", "0.2500001", "0.2500002"]
    assert tick_texts([0.25, 0.25 + 1e-10, 0.25 + 2e-10]) == ["0.25", "0.2500000001", "0.2500000002"]
    assert tick_texts([0.0, 0.0]) == ["0", "0"]
    assert different([101_770, 101_780, 128]) == ["101.77k", "101.78k", "128"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.001"), (128, "128"), (61706, "61.71k"), (1.2e6, "1.2M"), (1e-7, "1e-07"), (-2e4, "-20k")],
)
def test_a_number_is_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "maximize", "others", "shown"),
    [
        ([0.90, 0.91, 0.92], True, [], (0.90, 0.92)),
        ([0.1, 0.90, 0.91, 0.92, 0.93], True, [], (0.90, 0.93)),
        ([0.1, 0.90, 0.91, 0.92, 0.93], True, [0.89, 0.5], (0.89, 0.93)),
        ([0.3, 0.31, 0.32, 1e30], False, [], (0.3, 0.32)),
        ([0.5, 0.5], True, [], (0.5, 0.5)),
        ([0.1, 0.9, 0.9], True, [], (0.1, 0.9)),  # half of them are best: nothing says what is far
        ([0.9], True, [0.2], (0.2, 0.9)),
        ([-1e308, 0.0, 1e308], True, [], (-1e308, 1e308)),
    ],
)
def test_few_values_far_off_do_not_stretch_the_axis_of_a_search(values, maximize, others, shown):
    assert window(values, maximize, others) == shown


@pytest.mark.parametrize(
    ("values", "limits", "ticks"),
    [
        ([0.6, 0.952], (0, 1), [0.6, 0.7, 0.8, 0.9, 1.0]),  # the best value lies below the top tick
        ([0.2, 1.49], (0, 1e9), [0.0, 0.5, 1.0, 1.5]),
        ([0.91, 0.99, 1.01], (0, 1.01), [0.9, 0.92, 0.94, 0.96, 0.98, 1.0]),  # no tick beyond what the metric can be
        ([0.12, 3.0], UNLIMITED, [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]),  # logarithmic
        ([0.3, 900.0], UNLIMITED, [0.1, 1.0, 10.0, 100.0, 1000.0]),
        ([0.4, 1.6], UNLIMITED, [0.5, 1.0, 1.5]),  # the next ticks are too far away
        ([0.5, 0.5], UNLIMITED, [0.48, 0.49, 0.5, 0.51, 0.52]),
    ],
)
def test_an_axis_grows_to_the_ticks_around_its_values(values, limits, ticks):
    axis, found = enclosed(axis_of(values, limits), values, limits, 5)
    assert found == pytest.approx(ticks)
    assert axis.low <= min(*values, *found)
    assert axis.high >= max(*values, *found)
