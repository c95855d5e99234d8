import pytest

from fitbench.text import (
    clean,
    count,
    counted,
    describe,
    duration,
    first_line,
    in_digits,
    number,
    shortened,
    span,
    without_password,
)


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


def test_a_noun_is_in_the_plural_but_for_one():
    assert [counted(number, "image") for number in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]


def test_clean_spells_out_what_a_terminal_would_obey():
    assert clean("a\x1b[2J\u202e\n\té") == r"a\x1b[2J\u202e\n\té"


def test_texts_are_shortened_to_the_columns_that_they_take():
    assert [shortened(text, 4) for text in ("abcd", "abcde", "数数数")] == ["abcd", "abc…", "数 …"]


def test_numbers_and_durations_are_as_people_read_them():
    assert [number(value, 2) for value in (None, 1234.5)] == ["-", "1,234.50"]
    assert [number(value, 4) for value in (999.99, -24983.1234, 1234567.8)] == ["999.9900", "-24,983.1", "1,234,568"]
    assert [number(value, 4) for value in (0, 0.00005, 0.00003, 1e30)] == ["0.0000", "0.0001", "3.0e-05", "1.000e+30"]
    assert [number(value, 4) for value in (380824289280, 123456789.5)] == ["3.808e+11", "123,456,790"]
    assert [number(value, 0) for value in (41696, 2**53)] == ["41,696", "9,007,199,254,740,992"]
    assert [in_digits(value) for value in (235323, 1027219.0, -7.5, 0.1 + 0.2, 2e-7, 1e39, float("nan"))] == [
        *("235,323", "1,027,219", "-7.5", "0.3", "2e-07", "1e+39", "nan"),
    ]
    assert [span(interval, 1) for interval in (None, (0.25, 1000))] == ["-", "0.2 to 1,000.0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999.4, "999"),
        (999.5, "1.0k"),  # rounding reaches the next unit, or one digit more
        (999.6, "1.0k"),
        (12_345, "12.3k"),
        (99_940, "99.9k"),
        (99_950.1, "100k"),
        (123_456, "123k"),
        (999_400, "999k"),
        (999_600, "1.0M"),
        (1_250_000_000, "1.2G"),
    ],
)
def test_count_has_at_most_four_digits_and_a_unit(value, text):
    assert count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8, "8 s"),
        (59.4, "59 s"),
        (59.7, "1:00"),
        (185, "3:05"),
        (59 * 60 + 59.4, "59:59"),
        (59 * 60 + 59.6, "1:00:00"),
        (7385, "2:03:05"),
        (24 * 3600 - 0.3, "24:00:00"),
    ],
)
def test_duration_never_has_sixty_seconds_or_minutes(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:p@ss@host/runs", "https://me:***@host/runs"),
        ("https://me@here.org:secret@host", "https://me@here.org:***@host"),
        ("postgresql://me:p/s:s?#@host", "postgresql://me:***@host"),
        ("https://:@host", "https://:***@host"),
        ("https://host:5000/a@b", "https://host:5000/a@b"),
        ("https://[::1]:5000/a@b", "https://[::1]:5000/a@b"),
        ("https://me@host:5000", "https://me@host:5000"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
    ],
)
def test_a_password_in_an_address_is_not_shown(address, shown):
    assert without_password(address) == shown


def test_first_line_of_an_error_is_never_empty():
    assert first_line(ValueError("\none\ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"
