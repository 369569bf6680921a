"""The recipe cnn's network in PyTorch, channels last, in float32 or with its convolutions in bfloat16.

    python -m benchmarks.rivals.torch_residual FOLDER BATCH EPOCHS DTYPE

FOLDER has images.npy and labels.npy of the training images. Prints the number of parameters first, so that the network
can be compared with the recipe's. Trains without augmentation.
"""

import sys

import numpy as np
import torch
from torch import nn

WIDTHS = (32, 64, 128)


def main(folder: str, batch: str, epochs: str, dtype: str) -> None:
    torch.manual_seed(0)
    images = torch.from_numpy(np.load(f"{folder}/images.npy")).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(np.load(f"{folder}/labels.npy").astype(np.int64))
    model = network().to(memory_format=torch.channels_last)
    print("parameters", sum(tensor.numel() for tensor in model.state_dict().values() if tensor.is_floating_point()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, fused=True)
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


def network() -> nn.Module:
    """Return the network: convolutions of stride 2, a block after each but the first; the maxima; an output a class."""
    layers, inputs = [], 1
    for width in WIDTHS:
        first = inputs == 1
        layers += [*convolution(inputs, width, 4 if first else 3, 2), nn.ReLU(), *([] if first else [Residual(width)])]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


class Residual(nn.Module):
    """Two convolutions, whose result is added to their input. At first, the result is 0."""

    def __init__(self, width: int):
        super().__init__()
        self.inner = nn.Sequential(*convolution(width, width), nn.ReLU(), *convolution(width, width))
        nn.init.zeros_(self.inner[-1].weight)

    def forward(self, inputs):
        return torch.relu(inputs + self.inner(inputs))


def convolution(inputs: int, width: int, side: int = 3, stride: int = 1) -> list[nn.Module]:
    """Return a convolution that keeps the image's size, or divides it by the stride, and its normalization."""
    return [nn.Conv2d(inputs, width, side, stride, padding=1, bias=False), nn.BatchNorm2d(width)]


if __name__ == "__main__":
    main(*sys.argv[1:])
