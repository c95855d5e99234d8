"""The configuration: its schema, its checks, and a run's identity."""

# ruff: noqa: F401 - other packages import these names from here

from fitbench.config.errors import validated
from fitbench.config.identity import (
    NOT_IDENTITY,
    config_id,
    plain,
    run_id,
    with_current_names,
    with_former_names,
)
from fitbench.config.reading import data_from_hydra, from_hydra, from_values
from fitbench.config.schema import (
    AUTO,
    SECTIONS,
    TOP_LEVEL,
    Affine,
    ArrayData,
    ArrayFiles,
    AutoMpg,
    Backend,
    BostonHousing,
    Config,
    Data,
    Distortion,
    EarlyStopping,
    Elastic,
    FileData,
    IdxFolder,
    ImageFolder,
    LeCun,
    Lengths,
    Loss,
    Missing,
    NoDistortion,
    OwnData,
    PackagedTable,
    Preprocess,
    Section,
    Series,
    SeriesFiles,
    SklearnTable,
    Source,
    Standardization,
    Table,
    TableFile,
    Training,
    UcrSeries,
    Validation,
    expanded,
    recorded_metrics,
)
