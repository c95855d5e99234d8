"""The tables that come with packages: scikit-learn's, and two of mlxtend. The packages are not imported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fitbench.config import AUTO, PackagedTable, Source, TableFile
from fitbench.data.builtin import in_package
from fitbench.data.dataset import Dataset, sha256_of
from fitbench.data.table import dataset_of
from fitbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class KnownTable:
    """A table that fitbench knows by name.

    Attributes:
        sha256: as `dataset.sha256_of`, of all rows in the order of the file: the features, and then the target, both
            as float32. Columns that are left out do not count.
        train, test: numbers of rows with the default settings.
        module, files: the package that it comes with, and the files in it, whose columns stand side by side.
        columns: the names of the columns of the files. All are numbers, but for those that are left out.
        target: the name of the target.
        choice: how it is chosen, behind `data=`.
        classes: the names of its classes; None if the target is a number.
        categorical: columns of numbers that are names of categories.
        left_out: columns that are left out.
        separator, skipped: of the files: what is between the fields, and the lines before the first row.
    """

    sha256: str
    train: int
    test: int
    module: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    target: str
    choice: str
    classes: tuple[str, ...] | None = None
    categorical: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    separator: str = ","
    skipped: int = 0

    @property
    def features(self) -> list[str]:
        """The columns that a model takes."""
        return [name for name in self.columns if name not in (self.target, *self.left_out)]

    @property
    def get(self) -> str:
        """How to get the table."""
        return f"pip install {PACKAGES[self.module]}"


PACKAGES = {"mlxtend": "mlxtend", "sklearn": "scikit-learn"}
_MEASURES = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"),
    *("symmetry", "fractal dimension"),
)
KNOWN_TABLES = {
    "boston_housing": KnownTable(
        "646738e942c00926e884a49d0443d044bc5ae8a96ec92c7bee4f5ecc8a8b63c0",
        *(404, 102, "mlxtend", ("data/data/boston_housing.csv",)),
        columns=(
            *("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT"),
            "MEDV",
        ),
        target="MEDV",
        choice="boston_housing",
    ),
    "auto_mpg": KnownTable(
        "1f781afda779c5bc6b03461ff0b0857e34bdb54a5ef715d008cf352838907831",
        *(314, 78, "mlxtend", ("data/data/autompg.csv.gz",)),
        columns=(
            *("cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year", "origin"),
            *("car_name", "mpg"),
        ),
        target="mpg",
        choice="auto_mpg",
        categorical=("origin",),
        left_out=("car_name",),
    ),
    "breast_cancer": KnownTable(
        "ac766594eb7f1464eb2c4a465ed14169e1466da5579489055852a6e40609e460",
        *(456, 113, "sklearn", ("datasets/data/breast_cancer.csv",)),
        columns=(
            *(f"mean {measure}" for measure in _MEASURES),
            *(f"{measure} error" for measure in _MEASURES),
            *(f"worst {measure}" for measure in _MEASURES),
            "diagnosis",
        ),
        target="diagnosis",
        choice="sklearn data.name=breast_cancer",
        classes=("malignant", "benign"),
        skipped=1,
    ),
    "diabetes": KnownTable(
        "8e1e660c095fbca8a3242d24e8f6765036a443ebfcbb3b25cd118f65e8348079",
        *(354, 88, "sklearn", ("datasets/data/diabetes_data_raw.csv.gz", "datasets/data/diabetes_target.csv.gz")),
        columns=("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"),
        target="progression",
        choice="sklearn data.name=diabetes",
        separator=" ",
    ),
    "wine": KnownTable(
        "fbf5d4a0b1f91eacffbdb4015b3ee11e8d70d76a6adbb101272a9e7414369d1c",
        *(142, 36, "sklearn", ("datasets/data/wine_data.csv",)),
        columns=(
            *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids"),
            *("nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines"),
            *("proline", "cultivar"),
        ),
        target="cultivar",
        choice="sklearn data.name=wine",
        classes=("class_0", "class_1", "class_2"),
        skipped=1,
    ),
    "iris": KnownTable(
        "a6afecd568f4c48e982ed31aeb6013d12f953eba485a5073108f4612ef4a1514",
        *(120, 30, "sklearn", ("datasets/data/iris.csv",)),
        columns=("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)", "species"),
        target="species",
        choice="sklearn data.name=iris",
        classes=("setosa", "versicolor", "virginica"),
        skipped=1,
    ),
}


def read_known_table(data: PackagedTable, task: str = AUTO) -> Dataset:
    """Read a table that comes with a package.

    The test part is drawn as that of a user's table, but for `boston_housing`, which is divided as Keras divides it.
    The diabetes of scikit-learn are in their own units, not scaled by all rows.

    Args:
        data: which table, and how its test part is drawn.
        task: that of the configuration; `auto` is the task of the table.

    Raises:
        DataError: the package is not installed, or has another table.
    """
    known = KNOWN_TABLES[data.table]
    frame, where = read_rows(data.table), str(files_of(data.table)[0])
    settings = TableFile(
        name=data.name,
        source=Source.csv,
        path=where,
        target=known.target,
        features=known.features,
        drop=None,
        categorical=list(known.categorical) or None,
        missing=None,
        weight=None,
        group=None,
        test_path=None,
        test_fraction=getattr(data, "test_fraction", None),
        split_seed=getattr(data, "split_seed", 0),
    )
    is_divided = settings.test_fraction is None
    frames = _divided_as_in_keras(frame) if is_divided else {"train": frame}
    task = data.task if task == AUTO else task
    made = dataset_of(settings, frames, dict.fromkeys(frames, where), task, known.classes)
    return replace(made, is_shuffled=not is_divided)  # Keras's order is the one that its users know


def files_of(name: str) -> list[Path]:
    """The files of a known table; none if its package is not on this machine."""
    known = KNOWN_TABLES[name]
    found = [in_package(known.module, file) for file in known.files]
    return [path for path in found if path is not None] if all(found) else []


def read_rows(name: str) -> pd.DataFrame:
    """Read the rows of a known table in the order of its file: its features, and then its target, as float64.

    Raises:
        DataError: the package is not installed, or has another table.
    """
    import pandas as pd

    known, paths = KNOWN_TABLES[name], files_of(name)
    if not paths:
        raise DataError(f"{name}: it comes with a package that is not installed; {known.get}")
    try:
        tables = [
            pd.read_csv(path, sep=known.separator, header=None, skiprows=known.skipped, dtype=str) for path in paths
        ]
        frame = pd.concat(tables, axis=1)
        frame.columns = list(known.columns)
        frame = frame[[*known.features, known.target]].astype(np.float64)
        found = sha256_of(*(frame[chosen].to_numpy(np.float32) for chosen in (known.features, known.target)))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{paths[0]}: cannot be read as {name} ({error}); {known.get} again") from error
    if found != known.sha256:
        raise DataError(
            f"{paths[0]}: this is not {name}: the SHA-256 of its values is {found[:12]}.., expected "
            f"{known.sha256[:12]}... Install its package again."
        )
    return frame


def _divided_as_in_keras(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The first 80 % of shuffled rows to train on, as `keras.datasets.boston_housing.load_data` with its defaults."""
    rows = np.arange(len(frame))
    np.random.RandomState(113).shuffle(rows)
    cut = int(len(rows) * 0.8)
    return {"train": frame.iloc[rows[:cut]], "test": frame.iloc[rows[cut:]]}
