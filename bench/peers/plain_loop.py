"""A plain training loop as one writes it first: a timm network, SGD with Nesterov momentum, one cycle, flips, shifts.

    python plain_loop.py data.npz MODEL EPOCHS BATCH THREADS SEED

`data.npz` holds `train` and `test`, uint8 of shape (n, side, side, 3), with `train_labels` and `test_labels`. Printed
is one JSON object: seconds of the loop, and the answers to the test pictures.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import timm
import torch
from torch import nn

SHIFT = 8
RATE = 0.1


def main() -> None:
    path, name, epochs, batch, threads, seed = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    data = np.load(path)
    train, test = (torch.from_numpy(data[part]).permute(0, 3, 1, 2) for part in ("train", "test"))
    labels = torch.from_numpy(data["train_labels"])
    model = timm.create_model(name, num_classes=int(labels.max()) + 1)
    mean, std = (torch.tensor(model.default_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = len(train) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps * epochs)
    loss_of = nn.CrossEntropyLoss()
    began = time.monotonic()
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(train))
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            images = (train[rows].float() / 255 - mean) / std
            if torch.rand(()) < 0.5:
                images = images.flip(3)
            across, down = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
            images = images.roll((down, across), (2, 3))
            loss = loss_of(model(images), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    seconds = time.monotonic() - began
    model.eval()
    with torch.inference_mode():
        answers = [model((part.float() / 255 - mean) / std).argmax(1) for part in torch.split(test, 64)]
    print(json.dumps({"seconds": seconds, "answers": torch.cat(answers).tolist()}))


if __name__ == "__main__":
    main()
