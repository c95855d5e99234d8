import pytest

from fitbench.text import clean, count, describe, duration, number, shortened, span


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (
            {"epoch": 3, "seconds": 0.5, "learning_rate": 0.1, "loss": 0.25, "accuracy": 0.9, "val_loss": 0.5},
            "0.50 s  loss 0.2500  accuracy 0.9000  val loss 0.5000",
        ),
        ({"epoch": 1, "seconds": 12, "loss": 1.0, "val_loss": None}, "12.00 s  loss 1.0000"),
        ({"epoch": 1, "val_loss": 1, "val_kappa": -0.125, "kappa": None}, "val loss 1.0000  kappa -0.1250"),
        ({"epoch": 1, "\x1b[31m": 1.0}, r"\x1b[31m 1.0000"),
    ],
)
def test_an_epoch_is_described_by_every_metric_that_it_measured(epoch, text):
    assert describe(epoch) == text


def test_clean_spells_out_what_a_terminal_would_obey():
    assert clean("a\x1b[2J\u202e\n\té") == r"a\x1b[2J\u202e\n\té"


def test_texts_are_shortened_to_the_columns_that_they_take():
    assert [shortened(text, 4) for text in ("abcd", "abcde", "数数数")] == ["abcd", "abc…", "数 …"]


def test_numbers_and_durations_are_as_people_read_them():
    assert [number(value, 2) for value in (None, 1234.5)] == ["-", "1,234.50"]
    assert [span(interval, 1) for interval in (None, (0.25, 1000))] == ["-", "0.2 to 1,000.0"]
    assert [count(value) for value in (999, 12_345, 123_456)] == ["999", "12.3k", "123k"]
    assert [duration(seconds) for seconds in (8, 185, 7385)] == ["8 s", "3:05", "2:03:05"]
