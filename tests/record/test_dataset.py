from fitbench.record import dataset


def test_a_vocabulary_of_many_names_with_commas_is_read(tmp_path):
    names = [f"Smith, J. {number}" for number in range(210_000)]
    columns = [{"name": "author", "kind": "category", "vocabulary": names}]
    content = {"name": "t", "source": "t.csv", "sha256": "0" * 64, "task": "regression", "shape": [1]}
    dataset.write(tmp_path, content | {"dtype": "float32", "columns": columns})
    read = dataset.read(tmp_path)
    assert read is not None
    assert read.columns[0].vocabulary == names
