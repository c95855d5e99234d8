"""The configuration: its schema, its checks, and a run's identity."""

# ruff: noqa: F401 - other packages import these names from here

from fitbench.config.annotations import expanded
from fitbench.config.data_sections import (
    OF_DRAWING,
    ArrayData,
    ArrayFiles,
    AutoMpg,
    BostonHousing,
    Data,
    FileData,
    IdxFolder,
    ImageFolder,
    Lengths,
    Missing,
    OwnData,
    PackagedTable,
    Preprocess,
    Series,
    SeriesFiles,
    SklearnTable,
    Source,
    Standardization,
    Table,
    TableFile,
    UcrSeries,
)
from fitbench.config.errors import validated
from fitbench.config.folds import each_fold, fold_overrides
from fitbench.config.identity import (
    NOT_IDENTITY,
    OF_COMMAND,
    OF_ONE_RUN,
    WITHOUT_EFFECT,
    config_id,
    covered,
    has_own_arguments,
    other_argument,
    plain,
    run_id,
    with_current_names,
    with_former_names,
)
from fitbench.config.parents import Parent, Start
from fitbench.config.reading import data_from_hydra, from_hydra, from_values, sweep_from_hydra
from fitbench.config.run_names import RunName, parse_run_id
from fitbench.config.schema import (
    SECTIONS,
    TOP_LEVEL,
    Affine,
    Backend,
    Config,
    Distortion,
    Elastic,
    LeCun,
    NoDistortion,
    Watched,
    recorded_metrics,
)
from fitbench.config.section import Section
from fitbench.config.sweep_section import Sweep
from fitbench.config.training_section import AUTO, EarlyStopping, FoldOrder, Loss, Training, Validation
