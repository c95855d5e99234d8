"""The PostgreSQL that tests of the search use: it starts, Optuna keeps a study in it, and nothing of it stays."""

import runpy
from pathlib import Path

import pytest

server = runpy.run_path(str(Path(__file__).with_name("server.py")))


def test_optuna_keeps_a_study_in_it():
    optuna = pytest.importorskip("optuna")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    if reason := server["missing"]():
        pytest.skip(reason)
    with server["postgres"]() as url:
        storage = optuna.storages.RDBStorage(url)
        study = optuna.create_study(study_name="small", storage=storage)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
        other = optuna.storages.RDBStorage(url)
        again = optuna.load_study(study_name="small", storage=other)
        assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
        folder = Path(sqlalchemy.make_url(url).query["host"])
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()  # although the storages were still connected
    assert not folder.exists()
    for each in (storage, other):
        each.engine.dispose()
