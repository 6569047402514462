"""Makes metrics.json: classification metrics as scikit-learn computes them. Needs scikit-learn and numpy.

Usage: python test/golden/metrics.py > test/golden/metrics.json
"""

import json

import numpy
import sklearn
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)


def case(name, classes, actual, predicted):
    labels = list(range(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        actual, predicted, labels=labels, zero_division=0
    )
    return {
        "name": name,
        "classes": classes,
        "actual": [int(x) for x in actual],
        "predicted": [int(x) for x in predicted],
        "accuracy": accuracy_score(actual, predicted),
        "f1": f1_score(actual, predicted, average="macro", zero_division=0),
        "weightedF1": f1_score(actual, predicted, average="weighted", zero_division=0),
        "confusion": confusion_matrix(actual, predicted, labels=labels).tolist(),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "perClassF1": f1.tolist(),
        "support": support.tolist(),
    }


random = numpy.random.default_rng(7)
actual5 = random.integers(0, 5, 200)
noisy5 = numpy.where(random.random(200) < 0.7, actual5, random.integers(0, 5, 200))
skewed = (random.random(150) < 0.05).astype(int)
cases = [
    case("two balanced classes", 2, random.integers(0, 2, 60), random.integers(0, 2, 60)),
    case("five classes, mostly right", 5, actual5, noisy5),
    case("a rare class that is never predicted", 2, skewed, numpy.zeros(150, dtype=int)),
    case("a class that occurs nowhere", 4, [0, 1, 2, 1, 0, 2], [0, 1, 1, 1, 2, 2]),
    case("a class that is only predicted", 3, [0, 0, 1, 1], [0, 2, 1, 2]),
    case("all wrong", 2, [0, 1, 0], [1, 0, 1]),
    case("one row", 3, [2], [2]),
]
logits = random.normal(size=(12, 3)).round(4)
labels = random.integers(0, 3, 12)
exp = numpy.exp(logits - logits.max(axis=1, keepdims=True))
probabilities = exp / exp.sum(axis=1, keepdims=True)


def masked_tokens(tokens, classes):
    logits = (3 * random.normal(size=(tokens, classes))).astype(numpy.float32)
    labels = numpy.where(random.random(tokens) < 0.5, logits.argmax(axis=1), random.integers(0, classes, tokens))
    wide = logits.astype(numpy.float64)
    losses = numpy.log(numpy.exp(wide).sum(axis=1)) - wide[numpy.arange(tokens), labels]
    loss = log_loss(labels, numpy.exp(wide) / numpy.exp(wide).sum(axis=1, keepdims=True), labels=list(range(classes)))
    return {
        "logits": [float(x) for x in logits.flatten()],
        "classes": classes,
        "labels": labels.tolist(),
        "losses": losses.tolist(),
        "loss": loss,
        "perplexity": float(numpy.exp(loss)),
        "accuracy": accuracy_score(labels, logits.argmax(axis=1)),
    }


print(
    json.dumps(
        {
            "madeWith": {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__},
            "cases": cases,
            "probabilities": {
                "logits": logits.flatten().tolist(),
                "classes": 3,
                "labels": labels.tolist(),
                "predicted": probabilities.argmax(axis=1).tolist(),
                "confidence": probabilities.max(axis=1).tolist(),
                "loss": log_loss(labels, probabilities, labels=[0, 1, 2]),
            },
            "masked": masked_tokens(30, 20),
            "percentile": {
                "sorted": [0.0, 1.0, 4.0, 9.0, 16.0],
                "fractions": [0.0, 0.025, 0.3, 0.975, 1.0],
                "values": numpy.percentile([0, 1, 4, 9, 16], [0, 2.5, 30, 97.5, 100]).tolist(),
            },
        }
    )
)
