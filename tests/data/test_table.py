"""Tables as data sets: columns, missing values, weights, groups, test parts, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fitbench.config import Source, TableFile
from fitbench.data import loading
from fitbench.data.dataset import Dataset
from fitbench.data.table import dataset_of, encoded
from fitbench.data.table_file import read_table, with_texts
from fitbench.errors import DataError, FitbenchError, RequestError
from fitbench.record.dataset import Column

ROWS = 40
NOTHING = dict.fromkeys(("features", "drop", "categorical", "missing", "weight", "group", "test_path"))


def houses(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Prices of houses with texts, booleans, weights and groups; no value is missing."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "rooms": random.integers(1, 9, rows),
            "area": random.normal(100, 20, rows).round(2),
            "city": random.choice(["Ulm", "Bonn", "Jena"], rows),
            "garden": random.random(rows) > 0.5,
            "zone": random.integers(1, 4, rows),
            "share": random.uniform(0.5, 2, rows).round(3),
            "street": np.arange(rows) % 8,
            "price": random.normal(300, 50, rows).round(3),
            "sold": random.choice(["no", "yes"], rows),
        }
    )


def settings(path: Path, **changes: object) -> TableFile:
    keys = {"name": "a", "source": Source.csv, "path": str(path), "target": "price", **NOTHING}
    return TableFile(**keys | {"test_fraction": 0.25, "split_seed": 0} | changes)


def load(folder: Path, table: pd.DataFrame | str, task: str = "auto", test: pd.DataFrame | None = None, **changes):
    """The data set of a table that is written to a CSV file."""
    path = folder / "a.csv"
    if isinstance(table, str):
        path.write_text(table, encoding="utf-8")
    else:
        table.to_csv(path, index=False)
    if test is not None:
        test.to_csv(folder / "test.csv", index=False)
        changes["test_path"] = str(folder / "test.csv")
    return loading.load(settings(path, **changes), task)


def changed(column: str, row: int, value: object, table: pd.DataFrame | None = None) -> pd.DataFrame:
    table = houses() if table is None else table.copy()
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


def column_of(dataset: Dataset, name: str) -> Column:
    [column] = [column for column in dataset.columns if column.name == name]
    return column


# -- checksums of the test part ---------------------------------------------------------------------------------------


def test_checksums_say_whether_two_data_sets_have_the_same_test_part(tmp_path):
    table, test = houses(), houses(10, seed=1)
    whole, fewer = load(tmp_path, table, features=["area", "rooms"]), load(tmp_path, table, features=["area"])
    assert (whole.test_sha256 == fewer.test_sha256, whole.test_inputs_sha256 == fewer.test_inputs_sha256) == (1, 0)
    ordered = table.sort_values("sold", ignore_index=True)  # the targets of every draw are the same
    first, second = (load(tmp_path, ordered, target="sold", features=["area"], split_seed=seed) for seed in (0, 1))
    assert np.array_equal(np.sort(first.y_test), np.sort(second.y_test))
    assert first.test_sha256 != second.test_sha256
    large, small = (load(tmp_path, table[:rows], test=test, features=["area"]) for rows in (ROWS, 20))
    assert large.sha256 != small.sha256
    assert (large.test_sha256, large.test_inputs_sha256) == (small.test_sha256, small.test_inputs_sha256)
    weighted = load(tmp_path, table, test=test, features=["area"], weight="share")
    assert weighted.test_sha256 != large.test_sha256
    without = load(tmp_path, table, test_fraction=0)
    assert (without.test_sha256, without.test_inputs_sha256) == (None, None)


# -- the data set -----------------------------------------------------------------------------------------------------


def test_table_becomes_numbers_codes_and_targets(tmp_path):
    table = houses()
    data = load(tmp_path, table, features=["area", "city", "garden", "zone"], categorical=["zone"])
    assert (data.task, data.names) == ("regression", ("price",))
    assert (data.x_train.shape, data.x_test.shape, data.x_train.dtype) == ((30, 4), (10, 4), np.float32)
    assert [column.kind for column in data.columns] == ["number", "category", "category", "category"]
    assert [column.vocabulary for column in data.columns] == [
        None, ["Bonn", "Jena", "Ulm"], ["false", "true"], ["1", "2", "3"],
    ]  # fmt: skip
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])[:, 0]
    order = np.array([np.flatnonzero(np.isclose(table["price"], price))[0] for price in y])
    assert sorted(order) == list(range(ROWS))
    rows = table.iloc[order]
    assert np.allclose(x[:, 0], rows["area"])
    assert [["", "Bonn", "Jena", "Ulm"][int(code)] for code in x[:, 1]] == rows["city"].tolist()
    assert (x[:, 2] == 1 + rows["garden"]).all()
    assert (x[:, 3] == rows["zone"]).all()
    area = rows["area"][:30]
    assert (data.columns[0].mean, data.columns[0].deviation) == (
        pytest.approx(area.mean()),
        pytest.approx(area.std(ddof=0)),
    )


def test_all_columns_without_another_use_are_features(tmp_path):
    data = load(tmp_path, houses(), drop=["sold"], weight="share", group="street")
    assert [column.name for column in data.columns] == ["rooms", "area", "city", "garden", "zone"]


@pytest.mark.parametrize(
    ("target", "changes", "task", "names"),
    [
        ("sold", {}, "classification", ("no", "yes")),
        ("garden", {}, "classification", ("False", "True")),
        ("zone", {}, "classification", ("1", "2", "3")),
        (["price", "area"], {}, "regression", ("price", "area")),
        ("street", {"categorical": ["street"]}, "classification", tuple("01234567")),
    ],
)
def test_targets_decide_the_task(tmp_path, target, changes, task, names):
    data = load(tmp_path, houses(), target=target, **changes)
    assert (data.task, data.names) == (task, names)
    assert not {column.name for column in data.columns} & {target if isinstance(target, str) else "price"}


def test_columns_of_0_and_1_are_several_labels(tmp_path):
    table = houses()[["area"]].assign(warm=np.arange(ROWS) % 2, dry=np.arange(ROWS) % 3 // 2)
    data = load(tmp_path, table, target=["warm", "dry"])
    assert (data.task, data.names, data.y_train.shape) == ("multilabel", ("warm", "dry"), (30, 2))


def test_weights_and_groups(tmp_path):
    table = houses()
    data = load(tmp_path, table, weight="share", group="street")
    assert len(data.w_train) == len(data.groups) == len(data.y_train)
    by_price = table.set_index(table["price"].astype(np.float32))
    assert np.allclose(data.w_train, by_price.loc[data.y_train[:, 0], "share"])
    assert np.allclose(data.w_test, by_price.loc[data.y_test[:, 0], "share"])
    train, test = (by_price.loc[targets[:, 0], "street"].to_numpy() for targets in (data.y_train, data.y_test))
    assert not set(train) & set(test)
    same_group = data.groups[:, None] == data.groups
    assert (same_group == (train[:, None] == train)).all()
    assert load(tmp_path, table).w_train is None


def test_groups_are_a_part_of_the_checksum(tmp_path):
    table, test = houses().assign(street=lambda rows: rows.index % 8), houses(20, seed=1).assign(street=9)
    other = table.assign(street=lambda rows: rows.index // 8)
    data, moved = (load(tmp_path, each, group="street", test=test) for each in (table, other))
    assert np.array_equal(data.x_train, moved.x_train)
    assert data.sha256 != moved.sha256


def test_numbers_are_read_from_texts_beside_spellings_of_missing(tmp_path):
    table = changed("area", 3, "NA", changed("area", 7, "None"))
    data = load(tmp_path, table, missing="mean", features=["area"], test=houses(seed=1))
    column = column_of(data, "area")
    assert (column.kind, column.missing) == ("number", True)
    assert column.mean == pytest.approx(houses()["area"].drop([3, 7]).mean())
    assert np.isnan(data.x_train).sum() == 2


def test_missing_category_is_one_of_its_own_if_the_training_part_has_it(tmp_path):
    table, test = changed("city", 3, ""), changed("city", 5, "", houses(seed=1))
    data = load(tmp_path, table, missing="mean", test=test, features=["city"])
    assert column_of(data, "city").vocabulary == ["", "Bonn", "Jena", "Ulm"]
    assert ((data.x_train == 1).sum(), (data.x_test == 1).sum()) == (1, 1)
    data = load(tmp_path, houses(), missing="mean", test=test, features=["city"])
    assert column_of(data, "city").vocabulary == ["Bonn", "Jena", "Ulm"]
    assert (data.x_test == 0).sum() == 1


def test_number_that_is_missing_in_the_test_part_alone_is_the_mean(tmp_path):
    data = load(tmp_path, houses(), missing="mean", test=changed("area", 5, "", houses(seed=1)), features=["area"])
    column = column_of(data, "area")
    assert not column.missing
    assert data.x_test[5, 0] == np.float32(column.mean)


def test_na_and_none_are_categories_as_written(tmp_path):
    table = houses().assign(basement=["NA", "None", "full", "full"] * 10)
    assert column_of(load(tmp_path, table), "basement").vocabulary == ["NA", "None", "full"]


def test_number_has_one_name_however_it_is_written(tmp_path):
    table = houses().assign(code=["1", "01", "1.0", "x"] * 10)
    assert column_of(load(tmp_path, table, categorical=["code"]), "code").vocabulary == ["1", "x"]


def test_constant_column_is_taken(tmp_path):
    assert column_of(load(tmp_path, houses().assign(area=5.0)), "area").deviation == 0


def test_notes_say_what_was_done(tmp_path):
    table = changed("area", 3, "").assign(row=np.arange(ROWS))
    data = load(tmp_path, table, missing="mean", test=houses(seed=1).assign(row=np.arange(ROWS)), drop=["sold"])
    assert list(data.notes) == [
        "categories, with the number of different ones in the training part: city (3), garden (2)",
        "missing numbers become the mean of the training part, beside an indicator: area",
        "the column 'row' numbers the rows; if it means nothing else, leave it out with data.drop",
    ]


def test_notes_count_categories_that_only_the_test_part_has(tmp_path):
    test = houses(10, seed=1)
    test["city"] = test["city"].str.upper()
    data = load(tmp_path, houses(), test=test)
    assert (data.x_test[:, [column.name for column in data.columns].index("city")] == 0).all()
    assert "test part: categories with values that training has not seen: city in 10 rows" in data.notes
    assert not any("not seen" in note for note in load(tmp_path, houses(), test=houses(10, seed=1)).notes)


def test_notes_name_what_may_be_a_mistake(tmp_path):
    table = houses().assign(city=["Ulm", "ulm", "New York", "Bonn"] * 10, sold=["yes", "Yes"] * 20)
    table["zip"] = [f"0{1000 + i % 7}" for i in range(ROWS)]
    data = load(tmp_path, table, target="sold", categorical=["zone"])
    assert data.notes[0] == "10 of 40 rows, drawn with data.split_seed=0, are the test part"
    assert list(data.notes)[2:] == [
        "categories that differ only in case or spaces are different ones: city ('Ulm' and 'ulm')",
        "numbers with leading zeros, such as 01000, are read as numbers: zip; if they are codes, set "
        "data.categorical=[zone,zip]",
        "sold: 2 texts are taken as classes: Yes, yes; the classes 'Yes' and 'yes' differ only in case or spaces",
    ]
    notes = load(tmp_path, table, target="sold", categorical=["zip"], drop=["city"]).notes
    assert not any("zeros" in note or "categories that differ" in note for note in notes)


# -- the test part ----------------------------------------------------------------------------------------------------


def test_test_part_changes_nothing_that_the_columns_say(tmp_path):
    table = changed("area", 2, "", changed("city", 4, ""))
    data = load(tmp_path, table, target="sold", missing="mean", drop=["price"])
    test = {int(row) for row in np.flatnonzero(~table["share"].astype(np.float32).isin(data.x_train[:, 5]))}
    other = table.copy()
    for name, value in {"rooms": 999, "area": -5.5, "city": "Rome", "zone": 77}.items():
        other.loc[sorted(test), name] = value
    again = load(tmp_path, other, target="sold", missing="mean", drop=["price"])
    assert again.columns == data.columns
    assert np.array_equal(again.x_train, data.x_train, equal_nan=True)
    assert (again.x_test[:, 2] == 0).all()  # a category that the training part does not have
    assert len(test) == 10


def test_split_seed_alone_decides_the_test_part(tmp_path):
    first, same, other = (load(tmp_path, houses(), split_seed=seed).x_test for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_each_class_has_its_fraction_in_the_test_part(tmp_path):
    table = houses(80).assign(sold=["no"] * 60 + ["yes"] * 20)
    data = load(tmp_path, table, target="sold")
    assert (np.bincount(data.y_train).tolist(), np.bincount(data.y_test).tolist()) == ([45, 15], [15, 5])
    assert len(np.unique(data.y_train[-10:])) == 2  # shuffled, because the last rows may be held back


def test_test_part_of_its_own_file(tmp_path):
    test = houses(10, seed=1)[["price", "city", "rooms", "garden", "area", "zone", "share", "street", "sold"]]
    data = load(tmp_path, houses(), test=test.assign(further=1))
    assert (len(data.x_train), len(data.x_test)) == (40, 10)
    assert np.allclose(data.y_test[:, 0], test["price"])
    assert np.allclose(data.x_test[:, 0], test["rooms"])
    assert column_of(data, "area").mean == pytest.approx(houses()["area"].mean())
    assert data.rows_test.tolist() == list(range(1, 11))


def test_examples_name_their_rows_of_the_file(tmp_path):
    table = houses()
    for data in (load(tmp_path, table), load(tmp_path, table, test=houses(10, seed=1))):
        assert data.rows_train.dtype == data.rows_test.dtype == np.int64
        assert np.allclose(table["price"][data.rows_train - 1], data.y_train[:, 0])
    data = load(tmp_path, table)
    assert np.allclose(table["price"][data.rows_test - 1], data.y_test[:, 0])


def test_changed_test_file_is_read_again(tmp_path):
    first = load(tmp_path, houses(), test=houses(10, seed=1))
    second = load(tmp_path, houses(), test=houses(12, seed=1))
    assert (len(first.x_test), len(second.x_test)) == (10, 12)
    assert first.fingerprint != second.fingerprint
    assert first.sha256 != second.sha256


# -- use --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def columns(tmp_path):
    table = changed("area", 3, "")
    data = load(tmp_path, table, missing="mean", features=["rooms", "area", "city", "garden"], test=houses(seed=1))
    return data.columns


def test_new_rows_are_encoded_by_name(columns):
    rows = pd.DataFrame({"further": ["?"], "garden": [True], "city": ["Ulm"], "area": [55.5], "rooms": [4]})
    assert encoded(with_texts(rows), columns, "new.csv").tolist() == [[4, 55.5, 3, 2]]
    rows = pd.DataFrame({"garden": ["TRUE"], "city": ["Rome"], "area": [None], "rooms": ["4"]})
    [[rooms, area, city, garden]] = encoded(with_texts(rows), columns, "new.csv")
    assert (rooms, city, garden) == (4, 0, 2)
    assert np.isnan(area)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"area": None, "city": None}, r"has no column 'area', 'city'; did you mean garden"),
        ({"area": ["x"]}, "the column 'area' holds the text 'x' in row 1"),
        ({"rooms": [""]}, r"values are missing in 'rooms' \(1 of 1 rows\); the training part has every number of this"),
        ({"rooms": [np.inf]}, "the column 'rooms' holds inf in row 1"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(columns, change, message):
    cells = {"rooms": [4], "area": [5.5], "city": ["Ulm"], "garden": [True]} | change
    rows = pd.DataFrame({name: cell for name, cell in cells.items() if cell is not None})
    with pytest.raises(DataError, match=f"new.csv: {message}"):
        encoded(with_texts(rows), columns, "new.csv")


# -- bad input --------------------------------------------------------------------------------------------------------

TEXTS = [f"id{i}" for i in range(ROWS)]
DAYS = [f"2020-01-{1 + i % 28:02}" for i in range(ROWS)]


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        (changed("price", 4, ""), {}, "the target 'price' is missing in 1 row, such as row 5. Leave"),
        (changed("sold", 4, ""), {"target": "sold"}, "the target 'sold' is missing in 1 row, such as row 5"),
        (houses().assign(price=7.5), {}, "price.* is 7.5 in every training example"),
        (houses().assign(sold="no"), {"target": "sold"}, "all labels are no; expected at least two classes"),
        (changed("sold", 4, "maybe"), {"target": "sold"}, "the class maybe has one example"),
        (houses().assign(area=""), {}, r"the column 'area' has no value in the training part; .*data\.drop=\[area\]"),
        (houses().assign(area="NA"), {"missing": "mean"}, "the column 'area' has no value in the training part"),
        (changed("area", 4, "big"), {}, r"'area' holds the text 'big' in row 5, .* set data\.categorical=\[area\]"),
        (changed("area", 4, "?"), {}, r"holds the text '\?' in row 5, .*'\?' stands for a .*, leave the cell empty$"),
        (changed("price", 4, "big"), {}, "'price' holds the text 'big' in row 5, .* number. Correct .* them out$"),
        (houses().assign(price="3.12.2020"), {}, "holds dates or times, such as '3.12.2020'; write numbers, such as"),
        (houses().assign(price="€5"), {}, "such as '€5'; write them with digits and a decimal point$"),
        (
            houses().assign(price=235323 + 20913 * np.arange(ROWS)),
            {},
            "40 different whole numbers from 235,323 to 1,050,930, which can be classes or numbers; set task=class",
        ),
        (houses().assign(day=DAYS), {}, "the column 'day' holds dates or times, such as '2020-01-01'; leave it out"),
        (houses().assign(day="3.12.2020"), {}, "the column 'day' holds dates or times"),
        (houses().assign(day="Jan 5, 2020"), {}, "the column 'day' holds dates or times"),
        (houses().assign(day="12:30"), {}, "the column 'day' holds dates or times"),
        (houses().assign(cost="1,234.50"), {}, "'cost' holds numbers in a form that is not read, such as '1,234.50'"),
        (houses().assign(cost="€5"), {}, "'cost' holds numbers in a form that is not read"),
        (houses().assign(key=TEXTS), {}, r"'key' has 40 different texts in 40 rows.*data\.drop=\[key\]"),
        (changed("area", 4, np.inf), {}, "the column 'area' holds inf in row 5; expected finite numbers"),
        (changed("area", 4, "-Infinity"), {}, "the column 'area' holds -inf in row 5"),
        (changed("price", 4, np.inf), {}, "the column 'price' holds inf in row 5"),
        (changed("area", 4, 1e39), {}, r"the column 'area' holds 1e\+39 in row 5"),
        (houses().assign(time=1.7e9 + np.arange(ROWS)), {}, ".time.: storing its numbers as float32 changes"),
        (
            changed("area", 4, "", changed("city", 9, "", changed("city", 3, ""))),
            {},
            r"values are missing in 'area' \(1 of 40 rows\), 'city' \(2\). Set data.missing=mean",
        ),
        (changed("share", 4, -1), {"weight": "share"}, "the weight 'share' is negative in 1 row, such as row 5"),
        (changed("share", 4, ""), {"weight": "share"}, "the weight 'share' is missing in 1 row, such as row 5"),
        (changed("share", 4, np.inf), {"weight": "share"}, "the column 'share' holds inf in row 5"),
        (houses().assign(share=0), {"weight": "share"}, "all weights of the train part are 0"),
        (changed("street", 4, ""), {"group": "street"}, "the group 'street' is missing in 1 row, such as row 5"),
        (houses().assign(street=1), {"group": "street"}, "all rows are of one group"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(tmp_path, table, changes, message):
    with pytest.raises(DataError, match=rf"a\.csv: .*{message}"):
        load(tmp_path, table, **changes)


@pytest.mark.parametrize(
    ("test", "changes", "message"),
    [
        (houses(0), {}, "test.csv: has names of columns and no rows"),
        (houses().drop(columns="area"), {}, r"test.csv: has no column 'area'; did you mean share"),
        (
            changed("sold", 3, "maybe"),
            {"target": "sold"},
            "test.csv: .* holds the class maybe, which the training part",
        ),
        (changed("area", 3, "big"), {}, "test.csv: the column 'area' holds the text 'big' in row 4"),
        (changed("area", 3, ""), {}, r"test.csv: values are missing in 'area' \(1 of 40 rows\). Set data.missing=mean"),
        (houses(), {"group": "street"}, "test.csv: holds 8 groups of 'street', such as '0', that .*a.csv holds too"),
        (changed("price", 3, ""), {}, "test.csv: the target 'price' is missing in 1 row, such as row 4"),
    ],
)
def test_bad_test_files_are_refused(tmp_path, test, changes, message):
    with pytest.raises(DataError, match=message):
        load(tmp_path, houses(), test=test, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "prize"}, r"data.target: .*a.csv has no column 'prize'; did you mean price\?"),
        ({"features": ["arae"]}, r"data.features: .* has no column 'arae'; did you mean area"),
        ({"drop": ["AREA"]}, r"'AREA'; did you mean area\? Upper and lower case are different"),
        ({"drop": "qqq"}, "data.drop: .* has no column 'qqq'; there are rooms"),
        ({"drop": ["qqq"]}, "data.drop: .* has no column 'qqq'; there are rooms, area, "),
        ({"weight": "shares"}, "data.weight: .* did you mean share"),
        ({"group": "streets"}, "data.group: .* did you mean street"),
        ({"categorical": ["zones"]}, "data.categorical: .* did you mean zone"),
        ({"features": ["area", "area"]}, "data.features names 'area' twice"),
        ({"features": ["price"]}, "data.target and data.features both name 'price'"),
        ({"target": ["price", "area"], "drop": ["area"]}, "data.target and data.drop both name 'area'"),
        ({"weight": "price"}, "data.target and data.weight both name 'price'"),
        ({"group": "price"}, "data.target and data.group both name 'price'"),
        (
            {"categorical": ["zone"], "drop": ["zone"]},
            "data.categorical names 'zone', which is no feature and no target",
        ),
        ({"drop": [name for name in houses() if name != "price"]}, "no column is left for the model to take"),
        ({"test_fraction": None}, "data.test_fraction and data.test_path are null; set one of them"),
        (
            {"test_path": "none.csv"},
            "data.test_path=.*none.csv: no such file or folder; expected a CSV, TSV or Parquet",
        ),
        ({"test_path": "."}, "data.test_path=.* is a folder; expected a CSV"),
    ],
)
def test_wrong_keys_are_refused(tmp_path, changes, message):
    with pytest.raises(RequestError, match=message):
        load(tmp_path, houses(), **changes)


def test_test_file_must_be_another(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(RequestError, match=r"is the file of data\.path"):
        load(tmp_path, houses(), test_path=str(tmp_path / "link.csv"))


def test_one_message_has_the_problems_of_all_columns(tmp_path):
    table = changed("price", 4, "big", changed("area", 4, "")).assign(day=DAYS, cost="€5", key=TEXTS)
    with pytest.raises(DataError) as caught:
        load(tmp_path, table, drop=["zone"])
    first, *lines, last = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'a.csv'}: 5 problems:"
    assert [line.split("'")[1] for line in lines] == ["day", "cost", "key", "area", "price"]
    assert last == "To leave out all such columns: data.drop=[zone,day,cost,key]"
    with pytest.raises(DataError, match="can be classes or numbers") as caught:
        load(tmp_path, table.assign(price=np.arange(ROWS)), missing="mean", features=["day", "rooms"])
    assert str(caught.value).splitlines()[0].endswith("2 problems:")
    assert "data.drop=[day]\n" not in str(caught.value)


def test_message_counts_the_problems_that_it_has_no_room_for(tmp_path):
    with pytest.raises(DataError) as caught:
        load(tmp_path, houses().assign(**{f"a {i}": "€5" for i in range(13)}))
    *_, before, last = lines = str(caught.value).splitlines()
    assert (len(lines), before) == (13, "- and 3 more")
    assert last.startswith("To leave out all such columns: \"data.drop=['a 0','a 1',")


def test_columns_of_the_test_part_are_reported_together(tmp_path):
    test = changed("area", 3, "big", changed("share", 5, "x", changed("price", 3, "", houses(seed=1))))
    with pytest.raises(DataError, match=r"test\.csv: 3 problems:\n- .*'area'.*\n- .*'share'.*\n- the target 'price'"):
        load(tmp_path, houses(), test=test)


def test_numbers_that_can_be_read_in_two_ways_are_refused_where_they_are_used(tmp_path):
    prices = "\n".join(f"{i}.{500 + i};{i};{i}.{700 + i}" for i in range(1, 41))
    table = f"price;rooms;version\n{prices}\n"
    with pytest.raises(DataError, match=r"'price' has numbers such as 1\.501, which can be 1501 or 1\.501; write 1501"):
        load(tmp_path, table, drop=["version"])
    with pytest.raises(DataError, match=r"'version' has numbers such as 1\.701, which can be 1701"):
        load(tmp_path, table, target="rooms", task="regression", drop=["price"])
    data = load(tmp_path, table, target="rooms", task="regression", drop=["price"], categorical=["version"])
    assert data.columns[0].kind == "category"
    with pytest.raises(DataError, match="'version' has numbers such as"):
        encoded(read_table(tmp_path / "a.csv"), [Column(name="version", kind="number", mean=0.0)], "a.csv")


def test_columns_that_are_not_used_are_not_checked(tmp_path):
    table = changed("area", 4, "big").assign(day=DAYS, empty="", key=TEXTS)
    data = load(tmp_path, table, drop=["area", "day", "empty", "key"])
    assert data.x_train.shape == (30, 7)
    again = load(tmp_path, table, features=["rooms"])
    assert again.x_train.shape == (30, 1)


def test_wide_table_lists_some_of_its_columns(tmp_path):
    table = pd.DataFrame(np.eye(50), columns=[f"pixel{i}" for i in range(50)])
    with pytest.raises(RequestError, match=r"no column 'y'; there are pixel0, .*, pixel29 and 20 more$"):
        load(tmp_path, table, target="y")


def test_long_cells_take_no_time(tmp_path):
    table = houses(8).assign(note=["1" + " " * 90_000 + "x", "1" * 90_000 + "x"] * 4)
    try:
        load(tmp_path, table)
    except FitbenchError as error:
        raise AssertionError("texts are categories") from error


def test_rows_of_messages_are_those_of_the_file(tmp_path):
    table = changed("area", 30, "big", changed("area", 6, "tiny"))
    path = tmp_path / "a.csv"
    table.to_csv(path, index=False)
    frame = read_table(path).iloc[::-1]
    with pytest.raises(DataError, match="'tiny' in row 7"):
        dataset_of(settings(path), {"train": frame}, {"train": "a.csv"}, "auto")
