"""Recipe R1 in PyTorch: the usual loop, on one thread (with more it is slower at this size).

python -m benchmarks.rivals.torch_loop FOLDER      FOLDER: images.npy and labels.npy of the training images
"""

import sys

import numpy as np
import torch

BATCH, EPOCHS = 32, 10


def main(folder: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.from_numpy(np.load(f"{folder}/images.npy").reshape(-1, 784))
    labels = torch.from_numpy(np.load(f"{folder}/labels.npy").astype(np.int64))
    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    cross_entropy = torch.nn.CrossEntropyLoss()
    for number in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss = cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {number + 1} loss {total / len(labels):.4f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
