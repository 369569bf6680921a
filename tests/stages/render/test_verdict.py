from stages.render import published, verdict

R1 = {**published.CLOTHING, "train.seed": 0, "train.replicates": 2}


def test_the_published_number_stands_beside_ours_with_its_distance(some, render):
    made = some()
    test = {**made.metrics["test"], "accuracy": 0.8795, "accuracy_std": 0.0053}
    made = made._replace(settings=R1, metrics=made.metrics | {"test": test})

    assert verdict.line(made).endswith("0.0053; published for this recipe (R1): 0.8848.")
    assert verdict.section(made, render()).blocks[-1] == (
        "The tutorial published 0.8848 for these settings (R1), from one network: 0.0053 above the accuracy here, "
        "1.0 times the standard deviation over the replicates."
    )
    test["accuracy"] = 0.89
    assert "0.0052 below the accuracy here" in verdict.section(made, render()).blocks[-1]


def test_without_a_published_number_none_is_made_up(some, render):
    assert "published for" not in verdict.line(some())
    assert verdict.section(some(), render()).blocks[-1] == "No number was published for exactly these settings."


def test_one_network_has_no_standard_deviation_to_measure_by(some, render):
    made = some(replicates=1)._replace(settings=R1)

    assert verdict.section(made, render()).blocks[-1].endswith("the accuracy here.")


def test_guessing_is_told_beside_the_accuracy(results, render):
    made = results([[[1, 0], [1, 0], [1, 0], [0, 1]]], [0, 0, 0, 1])

    assert "the most common class has 0.7500." in verdict.section(made, render()).blocks[0]
