"""How often a run was launched."""

from fitbench.training import attempts


def test_attempts_are_counted_from_one(tmp_path):
    assert [attempts.begin(tmp_path) for _ in range(3)] == [1, 2, 3]


def test_log_does_not_count(tmp_path):
    (tmp_path / "train.log").write_bytes(b"2026-01-02 INFO attempt 1 of mlp\n\xff attempt 2 of mlp\n")
    assert attempts.begin(tmp_path) == 1


def test_withdrawn_attempt_does_not_count_and_leaves_nothing(tmp_path):
    attempts.begin(tmp_path)
    attempts.begin(tmp_path)
    attempts.withdraw(tmp_path)
    assert attempts.begin(tmp_path) == 2
    attempts.withdraw(tmp_path)
    attempts.withdraw(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_withdrawing_keeps_the_checkpoints_of_earlier_attempts(tmp_path):
    attempts.begin(tmp_path)
    checkpoint = tmp_path / "checkpoint" / "000001-0.npz"
    checkpoint.touch()
    attempts.withdraw(tmp_path)
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
