"""Score the networks.

Reads the networks and both splits; writes the probabilities of the test images and of one of them predicted alone,
actual and predicted class of each, and metrics.json.
"""

import csv
import io
from functools import partial
from pathlib import Path

import numpy as np

from stages import arrays, atomic, command, models, params
from stages.evaluate import prediction, scores


def main(
    train: Path, test: Path, classes: Path, model: Path, probabilities: Path, predictions: Path, metrics: Path
) -> None:
    """Predict all images in batches, and score the predictions."""
    settings = params.section(params.Evaluate)
    names, networks = arrays.read_classes(classes), models.read(model)
    splits = {"train": arrays.read_split(train), "test": arrays.read_split(test)}
    single = prediction.batch_of_one(splits["test"].images, settings.single_image)
    predict = partial(prediction.predict, networks, classes=len(names), batch_size=settings.batch_size)
    predicted = {name: predict(split.images) for name, split in splits.items()}
    summary = scores.summarize(names, {name: (predicted[name], split.labels) for name, split in splits.items()})
    arrays.write(probabilities / "probabilities.npy", predicted["test"])
    arrays.write(probabilities / "single_image.npy", predict(single)[:, 0])
    atomic.write_text(predictions, _table(predicted["test"][0], splits["test"].labels, names))
    atomic.write_json(metrics, summary)
    for name in splits:
        print(f"{name}: accuracy {summary[name]['accuracy']:.4f}, loss {summary[name]['loss']:.4f}")


def _table(probabilities: np.ndarray, labels: np.ndarray, names: list[str]) -> str:
    """Return actual and predicted class of each image as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["actual", "predicted"])
    writer.writerows(zip((names[i] for i in labels), (names[i] for i in probabilities.argmax(axis=1)), strict=True))
    return text.getvalue()


if __name__ == "__main__":
    command.run(main)
