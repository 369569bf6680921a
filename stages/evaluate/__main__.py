"""Score the networks.

Reads the networks, the record that training left of them, and both splits; writes the probabilities of the test images
and of one of them predicted alone, tables of them for `dvc plots`, and metrics.json.
"""

from functools import partial
from pathlib import Path

from stages import arrays, atomic, command, params
from stages.evaluate import networks, prediction, scores, tables


def main(
    train: Path,
    test: Path,
    classes: Path,
    model: Path,
    training: Path,
    probabilities: Path,
    predictions: Path,
    reliability: Path,
    metrics: Path,
) -> None:
    """Predict all images in batches, and score the predictions."""
    settings = params.section(params.Evaluate)
    names = arrays.read_classes(classes)
    splits = {"train": arrays.read_split(train, len(names)), "test": arrays.read_split(test, len(names))}
    trained = networks.read(model, training, names, splits["train"].images.shape[1:])
    single = prediction.batch_of_one(splits["test"].images, settings.single_image)
    predict = partial(prediction.predict, trained, classes=len(names), batch_size=settings.batch_size)
    predicted = {name: predict(split.images) for name, split in splits.items()}
    summary = scores.summarize(names, {name: (predicted[name], split.labels) for name, split in splits.items()})
    arrays.write(probabilities / "probabilities.npy", predicted["test"])
    arrays.write(probabilities / "single_image.npy", predict(single)[:, 0])
    labels = splits["test"].labels
    atomic.write_csv(predictions, tables.CONFUSION, tables.confusion(predicted["test"][0], labels, names))
    atomic.write_csv(reliability, tables.RELIABILITY, tables.reliability(predicted["test"], labels))
    atomic.write_json(metrics, summary)
    for name in splits:
        print(f"{name}: accuracy {summary[name]['accuracy']:.4f}, loss {summary[name]['loss']:.4f}")


if __name__ == "__main__":
    command.run(main)
