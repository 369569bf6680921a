"""Fit the networks.

Reads the training images alone, and the number of classes; writes a model a replicate, history.csv with a row an epoch,
and training.json with what is known before and after.
"""

import csv
import io
from pathlib import Path
from statistics import fmean

from stages import arrays, atomic, command, models, params
from stages.train import trainer


def main(train: Path, classes: Path, model: Path, history: Path, training: Path) -> None:
    """Fit networks that differ in seed alone to the training images."""
    settings = params.section(params.Train)
    runs = trainer.fit(arrays.read_split(train), len(arrays.read_classes(classes)), settings)
    models.write(model, [run.model for run in runs])
    atomic.write_text(history, _table(runs))
    summary = {
        "epochs": len(runs[0].history) - 1,
        "parameters": runs[0].parameters,
        "untrained_loss": round(fmean(run.history[0]["train_loss"] for run in runs), 4),
    }
    atomic.write_json(training, summary)


def _table(runs: list[trainer.Run]) -> str:
    """Return the rows of all replicates as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["replicate", *runs[0].history[0]], lineterminator="\n")
    writer.writeheader()
    for replicate, run in enumerate(runs):
        for row in run.history:
            scores = {name: f"{value:.6f}" for name, value in row.items() if name != "epoch"}
            writer.writerow({"replicate": replicate, "epoch": row["epoch"], **scores})
    return text.getvalue()


if __name__ == "__main__":
    command.run(main)
