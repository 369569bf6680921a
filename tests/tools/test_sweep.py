"""The ranking of experiments against scipy and statsmodels, and the table of it in each format."""

import json
import re

import numpy as np
import pytest
import scipy.stats
from markdown_it import MarkdownIt
from statsmodels.stats.multitest import multipletests

from core.cli.errors import InputError, StageError
from core.config import params
from tests.project import ROOT
from tools import blocks
from tools.sweep import __main__ as report
from tools.sweep import formats, ranking
from tools.sweep.experiments import Found, kept
from tools.sweep.ranking import Experiment


def experiment(name, accuracies, *, images="a" * 32, fraction=0.1, networks=None, **settings):
    settings = {f"train.{key}": value for key, value in settings.items()}
    return Experiment(name, settings, images, fraction, networks or name, np.array(accuracies))


def history(*blocks):
    """Return the history of replicates, each a list of (validation loss, validation accuracy) by epoch."""
    rows = [(number, epoch, *scores) for number, block in enumerate(blocks) for epoch, scores in enumerate(block)]
    names = ("replicate", "epoch", "validation_loss", "validation_accuracy")
    return np.array(rows, [(name, float) for name in names])


ROWS = history(
    [(0.1, 0.11), (0.5, 0.80), (0.3, 0.82), (0.4, 0.90)],
    [(9.0, 0.10), (0.2, 0.70), (0.2, 0.75), (0.3, 0.60)],
)


def test_the_last_network_counts_or_with_early_stopping_that_of_the_first_lowest_loss():
    """The untrained network never counts, though its loss may be the lowest."""
    assert kept(ROWS, patience=0).tolist() == [0.90, 0.60]
    assert kept(ROWS, patience=1).tolist() == [0.82, 0.70]
    assert kept(ROWS[["replicate", "epoch"]], patience=0).tolist() == []


@pytest.mark.fault("luck taken for a difference, among many experiments or where no spread is known")
def test_verdicts_use_welchs_test_and_holms_correction_over_all_pairs():
    random = np.random.default_rng(1)
    scores = [random.normal(mean, 0.004, 5) for mean in (0.89, 0.888, 0.885, 0.881, 0.87)]
    means = [score.mean() for score in scores]

    (table,) = ranking.rank([experiment(str(i), each) for i, each in enumerate(scores)]).tables

    order = sorted(range(5), key=means.__getitem__, reverse=True)
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    tests = {pair: scipy.stats.ttest_ind(scores[pair[1]], scores[pair[0]], equal_var=False) for pair in pairs}
    adjusted = dict(zip(pairs, multipletests([t.pvalue for t in tests.values()], method="holm")[1], strict=True))
    assert [int(place.experiment.name) for place in table.places] == order
    assert table.places[0].verdict == "best"
    for place in table.places[1:]:
        pair = order[0], int(place.experiment.name)
        assert place.p_value == pytest.approx(adjusted[pair])
        assert place.verdict == ("worse" if adjusted[pair] < 0.05 else "no evidence")
        assert place.change.interval == pytest.approx(tests[pair].confidence_interval(0.95))
    assert {place.verdict for place in table.places} == {"best", "worse", "no evidence"}


def test_experiments_are_sorted_by_their_mean_over_replicates_and_then_by_name():
    """The best replicate, the first or the median would give another order."""
    scores = {"p": [0.9, 0.5, 0.7], "q": [0.8, 0.8, 0.65], "r": [0.65, 0.95], "s": [0.74, 0.99, 0.7]}
    equal = {"b": [0.875, 0.875], "a": [0.75, 1.0]}

    for each, expected in (scores, "srqp"), (equal, "ab"):
        (table,) = ranking.rank([experiment(name, accuracies) for name, accuracies in each.items()]).tables

        assert [place.experiment.name for place in table.places] == list(expected)
        assert [place.change.new for place in table.places] == [pytest.approx(np.mean(each[name])) for name in expected]
        assert {place.change.base for place in table.places} == {np.mean(each[expected[0]])}


@pytest.mark.fault("experiments scored on other images, or without validation images")
def test_experiments_scored_on_other_images_have_their_own_tables():
    ranked = ranking.rank(
        [
            experiment("a", [0.8, 0.81]),
            experiment("b", [0.9, 0.91], fraction=0.2),
            experiment("c", [0.7, 0.71], images="b" * 32),
            experiment("d", [0.85, 0.86]),
            experiment("HEAD", []),
        ]
    )

    assert [[place.experiment.name for place in table.places] for table in ranked.tables] == [["d", "a"], ["c"], ["b"]]
    assert ranked.unscored == ["HEAD"]
    printed = " ".join(blocks.text(formats.report(ranked, [])).split())
    assert "Not ranked, as they have no validation images: HEAD." in printed
    assert "can't be compared" in printed and "dvc exp apply" not in printed


@pytest.mark.fault("an experiment run twice")
def test_an_experiment_run_twice_has_one_place():
    """Otherwise each of its runs would count in Holm's correction."""
    twice = [experiment(name, [0.8, 0.82], networks="same") for name in ("first", "again")]
    elsewhere = experiment("elsewhere", [0.8, 0.82], networks="same", fraction=0.2)

    ranked = ranking.rank([*twice, experiment("other", [0.7, 0.71]), elsewhere])

    names = [[place.experiment.name for place in table.places] for table in ranked.tables]
    assert names == [["first", "other"], ["elsewhere"]]
    assert "again has the same networks as first, to the byte." in blocks.text(formats.report(ranked, []))


@pytest.mark.parametrize("scores", [([0.8], [0.9]), ([0.8, 0.8], [0.9, 0.9])])
def test_without_a_spread_there_is_no_verdict(scores):
    (table,) = ranking.rank([experiment(f"e{i}", each) for i, each in enumerate(scores)]).tables

    assert [place.verdict for place in table.places] == ["best", "unknown"]
    assert "unknown unknown" in " ".join(blocks.text(formats.report(ranking.Ranking([table], [], {}), [])).split())


def test_the_params_shown_are_those_that_differ():
    """One differs from true, and none from zero."""
    settings = [{"epochs": 3, "seed": 1, "shift": 0}, {"epochs": 3, "seed": True}]

    (table,) = ranking.rank([experiment(str(n), [0.8], **each) for n, each in enumerate(settings)]).tables

    assert table.params == ["train.seed", "train.shift"]


SWEEP = [
    experiment("stubby-kats", [0.88, 0.885, 0.89], learning_rate=0.001, batch_size=32),
    experiment("hammy-whit", [0.89, 0.895, 0.9], learning_rate=0.003, batch_size=128),
    experiment("<b>-@all", [0.7, 0.71, 0.72], learning_rate=1, batch_size=32),
]


def test_the_table_as_text():
    assert blocks.text(formats.report(ranking.rank(SWEEP), ["later"])).split("\n\n")[:2] == [
        "Validation accuracy on 10 % of the training images of each class (aaaaaaaa)",
        "experiment   batch_size  learning_rate  accuracy      change, 95 %  verdict\n"
        "hammy-whit          128          0.003     89.50                    best\n"
        "stubby-kats          32          0.001     88.50    -2.13 to +0.13  no evidence\n"
        "<b>-@all             32              1     71.00  -20.58 to -16.42  worse",
    ]


def test_text_keeps_to_80_columns_whatever_differs():
    wide = [
        each._replace(params={**each.params, **{f"train.param_{n}": place for n in range(8)}})
        for place, each in enumerate(SWEEP)
    ]

    printed = blocks.text(formats.report(ranking.rank(wide), ["later"]))

    assert max(map(len, printed.splitlines())) <= 80
    assert "hammy-whit: train.batch_size=128 train.learning_rate=0.003 train.param_0=1" in printed
    assert "Not yet done: later." in printed


@pytest.mark.parametrize(
    ("name", "patience", "commands"),
    [
        ("hammy-whit", 0, ["dvc exp apply hammy-whit", formats.ON_ALL_IMAGES, "python -m tools.compare"]),
        ("hammy-whit", 2, ["dvc exp apply hammy-whit", "python -m tools.compare"]),
        ("HEAD", 0, [formats.ON_ALL_IMAGES, "python -m tools.compare"]),
        ("HEAD", 2, []),
    ],
)
@pytest.mark.fault("the next commands after a sweep")
def test_the_next_commands_are_lines_to_paste(name, patience, commands):
    """All three, unless HEAD is the best, or the best needs its validation images for early stopping."""
    ranked = ranking.rank([experiment(name, [0.9], early_stopping_patience=patience), experiment("other", [0.8])])

    text, markdown = blocks.text(formats.report(ranked, [])), blocks.markdown(formats.report(ranked, []))

    assert re.findall("^  (.*)$", text, re.M) == commands
    assert "".join(f"{command}\n" for command in commands) in markdown
    assert ("early stopping needs" in " ".join(text.split())) == (patience > 0 and commands != [])
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("patience", "fraction", "again"), [(0, " -S train.validation_fraction=0.0", [formats.ON_ALL_IMAGES]), (2, "", [])]
)
@pytest.mark.fault("the next commands after a sweep")
def test_if_head_has_other_test_images_a_run_takes_its_place(patience, fraction, again):
    best = experiment("hammy-whit", [0.9], early_stopping_patience=patience)._replace(elsewhere="mine")

    text = blocks.text(formats.report(ranking.rank([best, experiment("other", [0.8])]), []))

    assert re.findall("^  (.*)$", text, re.M) == [
        f"dvc exp run --name baseline-mine -S dataset.name=mine{fraction}",
        "dvc exp apply hammy-whit",
        *again,
        "python -m tools.compare baseline-mine",
    ]
    assert "HEAD has no run on these test images." in text


@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.fault("the next commands after a sweep")
def test_validation_images_of_the_data_set_are_not_called_training_images(patience):
    """The best is trained on all training images already, so it is not trained again."""
    best = experiment("hammy-whit", [0.9], fraction=0.0, early_stopping_patience=patience)

    printed = blocks.text(formats.report(ranking.rank([best, experiment("held-out", [0.99])]), []))
    alone = blocks.text(formats.report(ranking.rank([best]), []))

    assert "Validation accuracy on the validation images of the data set (aaaaaaaa)" in printed
    assert "Validation accuracy on 10 % of the training images of each class (aaaaaaaa)" in printed
    assert "dvc exp apply hammy-whit\n" in alone and formats.ON_ALL_IMAGES not in alone
    assert "early stopping" not in alone and formats.AS_IT_IS in alone


@pytest.mark.fault("names of experiments that are markup")
def test_markdown_has_the_same_table_and_a_name_adds_no_markup():
    html = MarkdownIt("commonmark").enable("table").render(blocks.markdown(formats.report(ranking.rank(SWEEP), [])))

    cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", html)]
    assert cells[:6] == ["hammy-whit", "128", "0.003", "89.50", "", "best"]
    assert "&lt;b&gt;-" in cells[12] and "<b>" not in html


def test_json_has_every_network_and_no_interval_for_the_best():
    (table,) = json.loads(blocks.as_json(formats.report(ranking.rank(SWEEP), ["later"])))["tables"]

    best, second, third = table["experiments"]
    assert best["accuracies"] == [0.89, 0.895, 0.9] and best["low"] is best["p_value"] is None
    assert second["params"] == {"train.batch_size": 32, "train.learning_rate": 0.001}
    assert (best["accuracy"], second["accuracy"]) == pytest.approx((0.895, 0.885))
    assert (best["difference"], second["difference"]) == pytest.approx((0, -0.01))
    for each in (second, third):
        expected = scipy.stats.ttest_ind(each["accuracies"], best["accuracies"], equal_var=False)
        assert [each["low"], each["high"]] == pytest.approx(expected.confidence_interval(0.95), abs=1e-6)
        assert each["p_value"] >= expected.pvalue - 1e-6 and each["p_value"] != best["p_value"]
    assert (table["validation_fraction"], table["training_images"]) == (0.1, "a" * 32)


@pytest.fixture
def report_of(monkeypatch, capsys):
    """A function that makes the report of such experiments, and returns what it prints and what it raises."""

    def report_of(*found):
        monkeypatch.setattr(report.experiments, "of_head", lambda: Found(*found))
        try:
            report.main("text")
            raised = None
        except StageError as error:
            raised = error
        return capsys.readouterr().out, raised

    return report_of


@pytest.mark.parametrize(
    ("experiments", "unfinished", "error"),
    [
        ([], [], "none; fix: dvc exp run -S train.validation_fraction=0.1; or git checkout the commit at which"),
        ([], ["later"], "none has ended yet: later; fix: dvc exp run --run-all, which waits for their end"),
        (
            [experiment("HEAD", []), experiment("weest-sack", [])],
            [],
            "no validation images, so no validation accuracy: HEAD, weest-sack; "
            "fix: run them with -S train.validation_fraction=0.1",
        ),
    ],
)
@pytest.mark.fault("nothing to rank, no project")
def test_if_there_is_nothing_to_rank_one_line_says_how_to_change_that(report_of, experiments, unfinished, error):
    printed, raised = report_of(experiments, [], unfinished)

    assert printed == "" and raised.exit_code == 2
    assert str(raised).startswith(f"experiments of HEAD: {error}")


@pytest.mark.fault("an experiment of the queue fails")
def test_failures_are_named_after_the_table(report_of):
    printed, raised = report_of(SWEEP, ["a", "b"], [])

    assert "hammy-whit" in printed and raised.exit_code == 1
    assert [problem.subject for problem in raised.problems] == ["experiment a", "experiment b"]
    assert raised.problems[0].fix == "dvc queue logs a shows why; dvc queue remove --failed deletes it"


@pytest.mark.fault("nothing to rank, no project")
def test_without_a_project_there_is_one_line_of_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match=r"^revision HEAD: .* is not a git repository; fix: "):
        report.main("text")


def test_params_yaml_allows_every_value_of_the_example_in_the_makefile(project, assign):
    """In a copy of the committed file."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tried = dict(re.findall(r"-S '?([\w.]+)=([\w.,-]+)", makefile.split("exp run --queue")[1].split("--run-all")[0]))

    assert len(tried) == 3 and float(tried["train.validation_fraction"]) > 0
    for key, values in tried.items():
        for value in values.split(","):
            assign("params.yaml", key, value)
            params.load(project / "params.yaml")
