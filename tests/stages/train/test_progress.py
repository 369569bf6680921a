from stages.train.progress import line, row


def test_a_row_has_our_names_and_six_decimals():
    train = {"loss": 0.12345649, "accuracy": 0.5}
    expected = {"epoch": 3, "train_loss": 0.123456, "train_accuracy": 0.5}

    assert row(3, train) == expected
    assert row(3, train | {"val_loss": 2.0000005001, "val_accuracy": 0.25}) == expected | {
        "validation_loss": 2.000001,
        "validation_accuracy": 0.25,
    }


def test_a_line_tells_replicate_epoch_and_scores():
    train = {"epoch": 3, "train_loss": 0.12346, "train_accuracy": 0.5}

    assert line(2, 10, train) == "replicate 2  epoch  3/10  loss 0.1235 accuracy 0.5000"
    assert line(2, 10, train | {"validation_loss": 2.0, "validation_accuracy": 0.25}) == (
        "replicate 2  epoch  3/10  loss 0.1235 accuracy 0.5000  validation 2.0000 0.2500"
    )
