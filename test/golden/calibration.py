"""Makes calibration.json: the expected calibration error as torchmetrics computes it.

Usage: python test/golden/calibration.py > test/golden/calibration.json     (Python as in requirements.txt)
"""

import json

import numpy
import torch
import torchmetrics
from torchmetrics.functional.classification import multiclass_calibration_error

random = numpy.random.default_rng(31)


def case(name, rows, classes, sharpness):
    logits = (sharpness * random.normal(size=(rows, classes))).round(4)
    labels = numpy.where(random.random(rows) < 0.6, logits.argmax(axis=1), random.integers(0, classes, rows))
    probabilities = torch.softmax(torch.tensor(logits), dim=1)
    error = multiclass_calibration_error(probabilities, torch.tensor(labels), num_classes=classes, n_bins=15, norm="l1")
    return {
        "name": name,
        "confidence": probabilities.max(dim=1).values.tolist(),
        "right": (probabilities.argmax(dim=1).numpy() == labels).tolist(),
        "ece": error.item(),
    }


print(
    json.dumps(
        {
            "madeWith": {"torchmetrics": torchmetrics.__version__, "torch": torch.__version__},
            "cases": [
                case("unsure", 60, 4, 0.5),
                case("too sure", 60, 3, 6.0),
                case("two classes", 100, 2, 2.0),
                case("one row", 1, 3, 1.0),
            ],
        }
    )
)
