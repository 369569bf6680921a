"""The recipe cnn's network in PyTorch, channels last, in float32 or with its convolutions in bfloat16.

    python -m benchmarks.rivals.torch_convolutions FOLDER BATCH EPOCHS DTYPE

FOLDER has the normalized images and labels, in train/ and test/. Prints the number of parameters first,
so that the network can be compared with the recipe's. Trains without augmentation.
"""

import sys

import numpy as np
import torch
from torch import nn

ARRAYS = ("train/images", "train/labels", "test/images", "test/labels")
FIRST, PAIRS = 24, (24, 96, 96)


def main(folder: str, batch: str, epochs: str, dtype: str) -> None:
    torch.manual_seed(0)
    images, labels, *test = (torch.from_numpy(np.load(f"{folder}/{name}.npy")) for name in ARRAYS)
    images, labels = images[:, None], labels.long()
    model = network().to(memory_format=torch.channels_last)
    print("parameters", sum(tensor.numel() for tensor in model.state_dict().values() if tensor.is_floating_point()))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    cross_entropy = nn.CrossEntropyLoss()
    for number in range(int(epochs)):
        total = 0.0
        for rows in torch.randperm(len(labels)).split(int(batch)):
            optimizer.zero_grad(set_to_none=True)
            some = images[rows].to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
                logits = model(some)
            loss = cross_entropy(logits.float(), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {number + 1} loss {total / len(labels):.4f}", flush=True)
    model.eval()
    with torch.no_grad():
        predicted = torch.cat([model(some[:, None]).argmax(1) for some in test[0].split(1000)])
    print(f"accuracy {(predicted == test[1]).float().mean():.4f}")


def network() -> nn.Module:
    """Return the network: a first layer, pairs of convolutions, of which the first is pooled; an output a class."""
    layers, inputs = [nn.Conv2d(1, FIRST, 2), nn.ReLU()], FIRST
    for width in PAIRS:
        layers += [convolution(inputs, width), nn.MaxPool2d(2), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [convolution(width, width), nn.BatchNorm2d(width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def convolution(inputs: int, filters: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, filters, 3, padding=1, bias=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
