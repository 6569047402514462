"""Makes entities.json: entity scores as seqeval computes them, by default and in strict IOB2. Needs seqeval and numpy.

Usage: python test/golden/entities.py > test/golden/entities.json
"""

import json
import warnings
from importlib.metadata import version

import numpy
from seqeval.metrics import accuracy_score, classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2

warnings.simplefilter("ignore")
random = numpy.random.default_rng(11)
IOB2_TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-WORK-OF-ART", "I-WORK-OF-ART"]
ODD_TAGS = IOB2_TAGS + ["E-PER", "S-LOC", "B", "I", "PER"]


def rows_of(tags, rows, outside):
    """Random tag sequences; `outside` is the share of O."""
    weights = [outside] + [(1 - outside) / (len(tags) - 1)] * (len(tags) - 1)
    return [random.choice(tags, size=random.integers(1, 12), p=weights).tolist() for _ in range(rows)]


def noisy(rows, tags, share):
    return [[str(random.choice(tags)) if random.random() < share else tag for tag in row] for row in rows]


def case(name, actual, predicted, strict=True):
    result = {
        "name": name,
        "actual": actual,
        "predicted": predicted,
        "accuracy": accuracy_score(actual, predicted),
        "precision": precision_score(actual, predicted, zero_division=0),
        "recall": recall_score(actual, predicted, zero_division=0),
        "f1": f1_score(actual, predicted, zero_division=0),
        "entities": [[[type_, start, end + 1] for type_, start, end in get_entities(row)] for row in predicted],
    }
    report = classification_report(actual, predicted, output_dict=True, zero_division=0)
    result["types"] = {
        type_: [scores["precision"], scores["recall"], scores["f1-score"], int(scores["support"])]
        for type_, scores in report.items()
        if not type_.endswith(" avg")
    }
    if strict:
        result["strictF1"] = f1_score(actual, predicted, mode="strict", scheme=IOB2, zero_division=0)
    return result


plain = rows_of(IOB2_TAGS, 40, 0.5)
odd = rows_of(ODD_TAGS, 40, 0.3)
cases = [
    case("mostly right", plain, noisy(plain, IOB2_TAGS, 0.15)),
    case("all right", plain, plain),
    case("chance", plain, noisy(plain, IOB2_TAGS, 1.0)),
    case("nothing predicted", plain, [["O"] * len(row) for row in plain]),
    case("no entity anywhere", [["O", "O"], ["O"]], [["O", "O"], ["O"]]),
    case("entities that touch the end of a row", [["O", "B-PER"], ["I-PER", "O"]], [["O", "B-PER"], ["I-PER", "O"]]),
    case("an entity that begins with I", [["B-LOC", "I-LOC"]], [["I-LOC", "I-LOC"]]),
    case("other schemes and tags without a type", odd, noisy(odd, ODD_TAGS, 0.2), strict=False),
]
print(json.dumps({"madeWith": {"seqeval": version("seqeval"), "numpy": numpy.__version__}, "cases": cases}))
