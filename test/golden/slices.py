"""Makes slices.json: the figures of each group of rows as scikit-learn, scipy and seqeval compute them, the worst group
and the gap among those of at least 30 rows. Needs these and numpy.

Usage: python test/golden/slices.py > test/golden/slices.json
"""

import json
import warnings
from importlib.metadata import version

import numpy
import scipy
import sklearn
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_squared_error

warnings.simplefilter("ignore")
random = numpy.random.default_rng(17)
ROWS = 160
SMALLEST = 30
GROUPS = ["de", "en", "is", "pt"]
group = random.choice(GROUPS, size=ROWS, p=[0.3, 0.38, 0.05, 0.27])
# How often a prediction is wrong, by group: a model that is worse on some.
wrong = numpy.array([{"de": 0.35, "en": 0.05, "is": 0.9, "pt": 0.15}[name] for name in group])
harder = numpy.minimum(1, wrong + 0.3)


def flipped(actual, rate, choices):
    return numpy.where(random.random(ROWS) < rate, random.integers(0, choices, ROWS), actual)


def by_group(score, *arrays, less=False, groups=group):
    """Each group's score, the worst of the large groups and their gap. `groups` has the group of each element."""
    scores = {name: float(score(*[array[groups == name] for array in arrays])) for name in GROUPS}
    large = {name: value for name, value in scores.items() if (group == name).sum() >= SMALLEST}
    worst = (max if less else min)(large, key=large.get)
    return {"scores": scores, "worst": worst, "gap": max(large.values()) - min(large.values())}


def macro(actual, predicted):
    return f1_score(actual, predicted, average="macro", zero_division=0)


def weighted(actual, predicted):
    return f1_score(actual, predicted, average="weighted", zero_division=0)


def micro(actual, predicted):
    return f1_score(actual, predicted, average="micro", zero_division=0)


def rmse(actual, predicted):
    return mean_squared_error(actual, predicted) ** 0.5


def pearson(actual, predicted):
    return scipy.stats.pearsonr(actual, predicted).statistic


def spearman(actual, predicted):
    return scipy.stats.spearmanr(actual, predicted).statistic


def both(actual, models, metrics):
    """The figures of base and tuned model."""
    result = {"actual": actual.tolist()}
    for name, predicted in models.items():
        figures = {metric: by_group(score, actual, predicted, less=less) for metric, (score, less) in metrics.items()}
        result[name] = {"predicted": predicted.tolist(), "metrics": figures}
    return result


def single():
    actual = random.integers(0, 3, ROWS)
    models = {"base": flipped(actual, harder, 3), "tuned": flipped(actual, wrong, 3)}
    return both(actual, models, {"accuracy": (accuracy_score, False), "f1": (macro, False), "weightedF1": (weighted, False)})


def loss():
    """Mean loss per row from probabilities of two classes."""
    actual = random.integers(0, 2, ROWS)
    sure = numpy.clip(1 - wrong * random.random(ROWS), 0.01, 0.99)
    probabilities = numpy.stack([numpy.where(actual == k, sure, 1 - sure) for k in range(2)], axis=1)
    losses = -numpy.log(probabilities[numpy.arange(ROWS), actual])
    score = lambda a, p: log_loss(a, p, labels=[0, 1])
    return {"losses": losses.tolist(), "loss": by_group(score, actual, probabilities, less=True)}


def multi():
    actual = (random.random((ROWS, 3)) < [0.6, 0.3, 0.1]).astype(int)
    change = lambda rate: actual ^ (random.random((ROWS, 3)) < rate[:, None] / 2)
    models = {"base": change(harder), "tuned": change(wrong)}
    return both(actual, models, {"microF1": (micro, False), "f1": (macro, False), "accuracy": (accuracy_score, False)})


def numbers():
    actual = random.normal(size=ROWS).astype(numpy.float32)
    noisy = lambda rate: (actual + rate * random.normal(size=ROWS)).astype(numpy.float32)
    models = {"base": noisy(harder), "tuned": noisy(wrong)}
    wide = {name: predicted.astype(float) for name, predicted in models.items()}
    return both(
        actual.astype(float), wide, {"rmse": (rmse, True), "pearson": (pearson, False), "spearman": (spearman, False)}
    )


def words():
    tags = ["O", "B-PER", "I-PER", "B-LOC"]
    actual = [random.choice(tags, size=6, p=[0.5, 0.2, 0.15, 0.15]).tolist() for _ in range(ROWS)]
    change = lambda rates: [
        [str(random.choice(tags)) if random.random() < rate else tag for tag in row] for row, rate in zip(actual, rates)
    ]
    table = lambda rows: numpy.array(rows)
    score = lambda a, p: entity_f1(a.tolist(), p.tolist(), zero_division=0)
    models = {name: table(change(rates)) for name, rates in {"base": harder, "tuned": wrong}.items()}
    return {"tags": tags, **both(table(actual), models, {"f1": (score, False)})}


def masked():
    """Hidden tokens, of which rows have from one to six: a group's figures are means over its tokens, not its rows."""
    vocabulary = 5
    counts = random.integers(1, 7, ROWS)
    groups = numpy.repeat(group, counts)
    labels = random.integers(0, vocabulary, len(groups))
    rows = lambda values: [part.tolist() for part in numpy.split(values, numpy.cumsum(counts)[:-1])]
    log = lambda a, p: log_loss(a, p, labels=list(range(vocabulary)))
    result = {"labels": rows(labels)}
    for name, rates in {"base": harder, "tuned": wrong}.items():
        logits = random.normal(size=(len(groups), vocabulary))
        logits[numpy.arange(len(groups)), labels] += 3 * (1 - numpy.repeat(rates, counts))
        exp = numpy.exp(logits)
        probabilities = exp / exp.sum(axis=1, keepdims=True)
        guesses = probabilities.argmax(axis=1)
        result[name] = {
            "losses": rows(-numpy.log(probabilities[numpy.arange(len(groups)), labels])),
            "guesses": rows(guesses),
            "metrics": {
                "loss": by_group(log, labels, probabilities, less=True, groups=groups),
                "perplexity": by_group(
                    lambda a, p: numpy.exp(log(a, p)), labels, probabilities, less=True, groups=groups
                ),
                "accuracy": by_group(accuracy_score, labels, guesses, groups=groups),
            },
        }
    return result


print(
    json.dumps(
        {
            "madeWith": {
                "scikit-learn": sklearn.__version__,
                "scipy": scipy.__version__,
                "seqeval": version("seqeval"),
                "numpy": numpy.__version__,
            },
            "smallest": SMALLEST,
            "group": group.tolist(),
            "SingleLabelClassification": single(),
            "MultiLabelClassification": multi(),
            "Regression": numbers(),
            "TokenClassification": words(),
            "loss": loss(),
            "MaskedLM": masked(),
        }
    )
)
