"""Tables that come with packages, divided and scaled as by scikit-learn and pandas."""

import numpy as np
import pytest
import sklearn.datasets
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from fitbench.data import loading
from fitbench.data.divided_table import divided_table


def parts(arrays):
    return [arrays[name] for name in ("x_train", "x_test", "y_train", "y_test")]


def same(ours, theirs):
    return all(np.allclose(a, b, rtol=1e-6) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "diabetes"])
def test_split_of_scikit_learn(name):
    data = getattr(sklearn.datasets, f"load_{name}")()
    theirs = train_test_split(data.data, data.target, test_size=0.2, random_state=45)
    ours = divided_table(name, test_rows=int(np.ceil(len(data.target) * 0.2)), split_seed=45)
    assert same(parts(ours), theirs)
    assert (ours["y_train"].dtype.kind == "i") == (name != "diabetes")


def test_split_of_pandas_with_categories():
    pd, mlxtend = pytest.importorskip("pandas"), pytest.importorskip("mlxtend.data")
    x, y = mlxtend.autompg_data()
    frame = pd.get_dummies(pd.DataFrame(x[:, :7].astype(float)), columns=[6], dtype=float).assign(mpg=y)
    train = frame.sample(frac=0.8, random_state=0)
    test = frame.drop(train.index)
    theirs = [train.iloc[:, :-1], test.iloc[:, :-1], train["mpg"], test["mpg"]]
    assert same(parts(divided_table("auto_mpg", test_rows=78, split="pandas")), theirs)


def test_rows_without_a_test_part_are_those_of_kfold():
    x, y = sklearn.datasets.load_iris(return_X_y=True)
    ours = divided_table("iris", test_rows=0, split_seed=7)
    assert sorted(ours) == ["x_train", "y_train"]
    folds = np.array_split(ours["y_train"], 10)
    theirs = [y[held_back] for _, held_back in KFold(10, shuffle=True, random_state=7).split(x)]
    assert [sorted(fold) for fold in folds] == [sorted(fold) for fold in theirs]


@pytest.mark.parametrize(("scaling", "scaler"), [("standard", StandardScaler()), ("min_max", MinMaxScaler())])
@pytest.mark.parametrize("scaled_by", ["train", "all"])
def test_scaling(scaling, scaler, scaled_by):
    x = sklearn.datasets.load_wine().data
    train, test = train_test_split(x, test_size=36, random_state=1)
    scaler.fit(train if scaled_by == "train" else x)
    ours = divided_table("wine", test_rows=36, split_seed=1, scaling=scaling, scaled_by=scaled_by)
    assert np.allclose(ours["x_train"], scaler.transform(train), atol=1e-6)
    assert np.allclose(ours["x_test"], scaler.transform(test), atol=1e-6)


def test_scaling_of_all_columns_together():
    x = sklearn.datasets.load_wine().data
    ours = divided_table("wine", test_rows=0, scaling="range", scaled_by="all")
    assert (ours["x_train"].min(), ours["x_train"].max()) == (0, 1)
    assert np.allclose(np.sort(ours["x_train"].ravel()), np.sort((x / x.max()).ravel()), atol=1e-4)


def test_validation_part():
    x = sklearn.datasets.load_iris().data
    train, test = train_test_split(x, test_size=30, random_state=45)
    train, held_back = train_test_split(train, test_size=24, random_state=45)
    ours = divided_table("iris", test_rows=30, split_seed=45, validation=24, scaling="min_max")
    scaler = MinMaxScaler().fit(train)  # without the validation part
    assert np.allclose(ours["x_val"], scaler.transform(held_back), atol=1e-6)
    by_test = divided_table("iris", test_rows=30, split_seed=45, validation="test")
    assert np.array_equal(by_test["x_val"], by_test["x_test"])
    assert np.allclose(by_test["x_test"], test)


def test_chosen_columns():
    ours = divided_table("auto_mpg", test_rows=78, columns=["horsepower"])
    assert ours["x_train"].shape == (314, 1)
    assert ours["x_train"].max() == 230


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"table": "roses"}, "table is roses; expected boston_housing, auto_mpg"),
        ({"split": "torch"}, "split is torch; expected scikit-learn, pandas"),
        ({"scaling": "log"}, "scaling is log; expected null, standard, min_max, range"),
        ({"scaled_by": "test"}, "scaled_by is test; expected train, all"),
        ({"test_rows": 150}, "test cannot have 150 of 150 rows; expected 0 to 149"),
        ({"validation": 120}, "val cannot have 120 of 120 rows"),
        ({"validation": "train"}, "validation is train; expected null, a number of rows, or test"),
        ({"columns": ["colour"]}, r"iris has no column colour; it has sepal length \(cm\)"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        divided_table(**{"table": "iris", "test_rows": 30} | settings)


def test_choice_of_the_configuration(composed):
    config = composed("data=divided_table", "data.table=wine", "data.test_rows=36", "model=mlp")
    data = loading.load(config.data)
    assert (config.data.name, data.kind, data.task) == ("wine", "arrays", "classification")
    assert data.x_train.shape == (142, 13)
