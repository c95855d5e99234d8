from pathlib import Path

from fitbench.composition import by_folder
from fitbench.launch.sweep_job import Job

START = "training.start={run_id: first, folder: outputs/it/first, sha256: " + "a" * 64 + "}"
PARENT = "+parent={run_id: first, folder: outputs/a/first, config_id: 0a1b2c3d, sha256: " + "b" * 64 + "}"


def test_another_process_gets_the_folder_of_the_run_that_a_name_meant(composed):
    config = composed("model=mlp", START)
    job = Job(["model=mlp", "training.start=@best"], config, Path("x"))
    assert job.launched(None) == [
        "model=mlp", "training.start=@best", "training.start='outputs/it/first'", "study='default'",
    ]  # fmt: skip
    assert by_folder(composed("model=mlp")) == []


def test_so_it_does_of_a_run_that_is_continued(composed):
    config = composed("model=mlp", START, PARENT)
    job = Job(["+continue=@latest", "training.epochs=30"], config, Path("x"))
    assert job.launched(None) == ["+continue='outputs/a/first'", "training.epochs=30", "study='default'"]
