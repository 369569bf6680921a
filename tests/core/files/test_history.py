import pytest

from core.files import history

HEADER = "replicate,epoch,train_loss,train_accuracy"
FIRST = [{"epoch": 0, "train_loss": 1.1, "train_accuracy": 0.3}, {"epoch": 1, "train_loss": 3e38, "train_accuracy": 1}]
SECOND = [{**FIRST[0], "train_loss": 1.2}, FIRST[1], {"epoch": 2, "train_loss": 0.25, "train_accuracy": 0.5}]


@pytest.mark.fault("replicates that stopped at different epochs")
def test_what_is_written_is_read_by_column(tmp_path):
    history.write(tmp_path / "history.csv", [FIRST, SECOND])

    table = history.parse((tmp_path / "history.csv").read_bytes())

    assert table.dtype.names == tuple(HEADER.split(","))
    assert table["replicate"].tolist() == [0, 0, 1, 1, 1]
    assert table["epoch"].tolist() == [0, 1, 0, 1, 2]
    assert table["train_loss"].tolist() == [1.1, 3e38, 1.2, 3e38, 0.25]
    assert table["train_accuracy"].tolist() == [0.3, 1, 0.3, 1, 0.5]


def test_validation_scores_have_columns_if_there_are_any(tmp_path):
    rows = [row | {"validation_loss": 2, "validation_accuracy": 0.25} for row in FIRST]
    history.write(tmp_path / "history.csv", [rows])

    assert history.parse((tmp_path / "history.csv").read_bytes())["validation_accuracy"].tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["<!DOCTYPE html>"], "unknown columns <!DOCTYPE html>"),
        ([f"{HEADER},validation_loss", "0,0,1,0,1", "0,1,1,1,0"], "unknown columns"),
        ([HEADER, "0,0,1,0"], "fewer than two epochs"),
        ([HEADER, "0,0,1,0", "0,1,1,x"], "could not convert string to float: 'x'"),
        ([HEADER, "0,0,1,0", "0,1,nan,1"], "a score is not finite"),
        ([HEADER, "0,1,1,0", "0,2,1,0"], "rows other than the epochs"),
        ([HEADER, "1,0,1,0", "1,1,1,0"], "rows other than the epochs"),
        ([HEADER, "0,0,1,0", "1,0,1,0", "0,1,1,0", "1,1,1,0"], "rows other than the epochs"),
    ],
)
def test_a_damaged_table_is_refused(lines, reason):
    with pytest.raises(ValueError, match=reason):
        history.parse("\n".join(lines).encode())
