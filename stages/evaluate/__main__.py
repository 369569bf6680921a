"""Score the networks.

Reads the networks and both splits; writes the probabilities of the test images and of one of them predicted alone,
actual and predicted class of each, and metrics.json.
"""

from functools import partial
from pathlib import Path

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
    of_first = predicted["test"][0].argmax(axis=1)
    pairs = ((names[label], names[index]) for label, index in zip(splits["test"].labels, of_first, strict=True))
    atomic.write_csv(predictions, ["actual", "predicted"], pairs)
    atomic.write_json(metrics, summary)
    for name in splits:
        print(f"{name}: accuracy {summary[name]['accuracy']:.4f}, loss {summary[name]['loss']:.4f}")


if __name__ == "__main__":
    command.run(main)
