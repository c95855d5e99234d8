"""The tables that come with packages hold what their packages say."""

import numpy as np
import pytest

from fitbench.config import AutoMpg, BostonHousing, Data, SklearnTable, Source
from fitbench.data import known_tables, loading
from fitbench.data.known_tables import KNOWN_TABLES, read_rows
from fitbench.errors import DataError


def section(name: str, **changes: object) -> Data:
    drawn = {"test_fraction": 0.2, "split_seed": 0} | changes
    if name == "boston_housing":
        return BostonHousing(name=name, source=Source.boston_housing)
    if name == "auto_mpg":
        return AutoMpg(name=name, source=Source.auto_mpg, **drawn)
    return SklearnTable(name=name, source=Source.sklearn, **drawn)


@pytest.mark.parametrize("name", KNOWN_TABLES)
def test_listed_sizes_are_those_of_the_data_set(name):
    known, data = KNOWN_TABLES[name], loading.load(section(name))
    assert (len(data.y_train), len(data.y_test)) == (known.train, known.test)
    assert [column.name for column in data.columns] == known.features
    assert data.names == (known.classes or (known.target,))
    assert data.task == section(name).task


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "wine", "iris"])
def test_rows_are_those_of_scikit_learn(name):
    import sklearn.datasets

    options = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(sklearn.datasets, f"load_{name}")(**options)
    data = loading.load(section(name))
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])
    ours = np.column_stack([x, y])
    expected = np.column_stack([theirs.data.astype(np.float32), theirs.target.astype(np.float32)])
    assert np.array_equal(ours[np.lexsort(ours.T)], expected[np.lexsort(expected.T)])
    if data.task == "classification":
        assert data.names == tuple(theirs.target_names)
    if name != "diabetes":
        assert KNOWN_TABLES[name].features[0].split()[0] == theirs.feature_names[0].split()[0]


def test_boston_is_divided_as_in_keras():
    from mlxtend.data import boston_housing_data

    x, y = boston_housing_data()
    rows = np.arange(506)
    np.random.RandomState(113).shuffle(rows)  # keras.datasets.boston_housing.load_data
    data = loading.load(section("boston_housing"))
    assert np.array_equal(np.concatenate([data.x_train, data.x_test]), x[rows].astype(np.float32))
    assert np.array_equal(np.concatenate([data.y_train, data.y_test])[:, 0], y[rows].astype(np.float32))
    assert np.array_equal(data.rows_test, rows[404:] + 1)
    assert data.columns[5].name == "RM"
    assert data.columns[5].mean == pytest.approx(x[rows[:404], 5].mean(), rel=1e-12)
    assert data.columns[5].deviation == pytest.approx(x[rows[:404], 5].std(), rel=1e-12)


def test_origin_of_cars_is_a_category():
    data = loading.load(section("auto_mpg"))
    assert (data.columns[-1].name, data.columns[-1].vocabulary) == ("origin", ["1", "2", "3"])


def test_seed_and_fraction_decide_the_test_part():
    first, other = (loading.load(section("iris", split_seed=seed)) for seed in (0, 1))
    assert not np.array_equal(first.x_test, other.x_test)
    assert np.bincount(loading.load(section("iris", test_fraction=0.5)).y_test).tolist() == [25, 25, 25]


def test_task_of_the_configuration_is_taken():
    assert loading.load(section("iris"), "regression").task == "regression"


def test_wrong_or_absent_tables_are_refused(tmp_path, monkeypatch):
    lines = known_tables.files_of("iris")[0].read_text().replace("5.1,3.5", "5.2,3.5", 1)
    path = tmp_path / "iris.csv"
    path.write_text(lines)
    monkeypatch.setattr(known_tables, "in_package", lambda module, file: path)
    with pytest.raises(DataError, match=r"iris.csv: this is not iris: the SHA-256 of its values .*Install"):
        read_rows("iris")
    path.write_text("nothing\n1,2\n")
    with pytest.raises(DataError, match=r"iris.csv: cannot be read as iris"):
        read_rows("iris")
    monkeypatch.setattr(known_tables, "in_package", lambda module, file: None)
    with pytest.raises(DataError, match="comes with a package that is not installed; pip install scikit-learn"):
        loading.load(section("iris", split_seed=5))
