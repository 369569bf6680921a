"""Recipe R1 in PyTorch: the usual loop, or with the network, its loss and its gradients compiled.

    python -m benchmarks.rivals.torch_loop FOLDER BATCH EPOCHS [compiled]

FOLDER has the normalized images and labels, in train/ and test/. Compiling needs a C++ compiler.
"""

import sys

import numpy as np
import torch

ARRAYS = ("train/images", "train/labels", "test/images", "test/labels")


def main(folder: str, batch: str, epochs: str, how: str = "") -> None:
    torch.manual_seed(0)
    images, labels, *test = (torch.from_numpy(np.load(f"{folder}/{name}.npy")) for name in ARRAYS)
    images, labels = images.flatten(1), labels.long()
    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def loss_of(rows):
        return cross_entropy(model(images[rows]), labels[rows])

    if how == "compiled":
        loss_of = torch.compile(loss_of)
    for number in range(int(epochs)):
        total = 0.0
        for rows in torch.randperm(len(labels)).split(int(batch)):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(rows)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {number + 1} loss {total / len(labels):.4f}", flush=True)
    with torch.no_grad():
        predicted = model(test[0].flatten(1)).argmax(1)
    print(f"accuracy {(predicted == test[1]).float().mean():.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
