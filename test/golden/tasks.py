"""Makes tasks.json with PyTorch and Transformers, on the CPU:

  tokenClassification, maskedLM, multiLabel, regression   50 training steps each of the small BERT in bert-small/
  balanced, focal                 the same with class weights, and with the focal loss (gamma 2)
  wordLabels                      tagged words as run_ner of Transformers tokenises and labels them

Usage: python test/golden/tasks.py MINILM_DIRECTORY > test/golden/tasks.json     (Python as in requirements.txt)
"""

import json
import pathlib
import sys

import loop
import numpy
import torch
import transformers
from transformers import (
    AutoTokenizer,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
)

HERE = pathlib.Path(__file__).parent
SETTINGS = {**loop.SETTINGS, "warmupSteps": 5, "totalSteps": 50}
VOCABULARY = 120
TAGS = ["O", "B-PER", "I-PER"]
SENTENCES = [
    ("Ada Lovelace met Babbage .", "B-PER I-PER O B-PER O"),
    ("unbelievably , the spokeswoman declined", "O O O O O"),
    ("antidisestablishmentarianism", "B-PER"),
    (
        "Mr. Featherstonehaugh-Cholmondeley of Llanfairpwllgwyngyll wrote to Grace Hopper and Margaret Hamilton",
        "O B-PER O O O O B-PER I-PER O B-PER I-PER",
    ),
    ("\u65e5\u672c \u6771\u4eac Tokyo caf\u00e9 3,000 $5", "O O B-PER O O O"),
]


def fill_head(model, names):
    """The test fills these parameters by the same formula."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in names:
            parameter = parameters[name]
            index = torch.arange(parameter.numel()).reshape(parameter.shape)
            parameter.copy_(((index * 37 % 101) - 50) / 500 + (1.0 if name.endswith("LayerNorm.weight") else 0.0))


def padded(rows):
    length = max(len(row) for row in rows)
    ids = [token for row in rows for token in row + [0] * (length - len(row))]
    mask = [bit for row in rows for bit in [1] * len(row) + [0] * (length - len(row))]
    return {"rows": len(rows), "length": length, "inputIds": ids, "attentionMask": mask}


def tensors(batch):
    shape = (batch["rows"], batch["length"])
    labels = torch.tensor(batch["labels"])
    return {
        "input_ids": torch.tensor(batch["inputIds"]).reshape(shape),
        "attention_mask": torch.tensor(batch["attentionMask"]).reshape(shape),
        "labels": labels.reshape(shape) if labels.numel() == shape[0] * shape[1] else labels,
    }


def own_loss(model, batch):
    return model(**tensors(batch)).loss


def train(model, batches, loss_of=own_loss):
    return loop.train(model, batches, SETTINGS, loss_of)


def batches_of(random, label):
    """Four batches of random tokens; `label` gives the label of a token, or -100."""
    batches = []
    for _ in range(4):
        rows = [random.integers(1, VOCABULARY, random.integers(5, 20)).tolist() for _ in range(6)]
        batch = padded(rows)
        places = zip(batch["inputIds"], batch["attentionMask"])
        batch["labels"] = [label(token) if bit else -100 for token, bit in places]
        batches.append(batch)
    return batches


def token_classification():
    random = numpy.random.default_rng(21)
    model = BertForTokenClassification.from_pretrained(HERE / "bert-small", num_labels=3)
    fill_head(model, ["classifier.weight", "classifier.bias"])
    # A third of the tokens continue a word and have no label.
    batches = batches_of(random, lambda token: -100 if random.random() < 0.33 else int(token % 3))
    return {"batches": batches, "steps": train(model, batches)}


def masked_lm():
    random = numpy.random.default_rng(22)
    model = BertForMaskedLM.from_pretrained(HERE / "bert-small")
    head = "cls.predictions.transform."
    fill_head(model, [head + name for name in ("dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias")])
    fill_head(model, ["cls.predictions.bias"])
    batches = batches_of(random, lambda token: int(token) if random.random() < 0.25 else -100)
    for batch in batches:
        batch["inputIds"] = [4 if label >= 0 else token for token, label in zip(batch["inputIds"], batch["labels"])]
    return {"batches": batches, "steps": train(model, batches)}


BALANCED = [0.5, 1.0, 3.0]


def weighted_loss(model, batch):
    inputs = tensors(batch)
    return torch.nn.functional.cross_entropy(
        model(**inputs).logits, inputs["labels"], weight=torch.tensor(BALANCED)
    )


def focal_loss(model, batch):
    inputs = tensors(batch)
    losses = torch.nn.functional.cross_entropy(model(**inputs).logits, inputs["labels"], reduction="none")
    return ((1 - torch.exp(-losses)) ** 2 * losses).mean()


def sequence(problem_type, seed, label, **loss):
    random = numpy.random.default_rng(seed)
    labels = 1 if problem_type == "regression" else 3
    model = BertForSequenceClassification.from_pretrained(
        HERE / "bert-small", num_labels=labels, problem_type=problem_type, ignore_mismatched_sizes=True
    )
    fill_head(model, ["classifier.weight", "classifier.bias"])
    batches = batches_of(random, lambda token: -100)
    for batch in batches:
        batch["labels"] = [label(random) for _ in range(batch["rows"])]
    return {"batches": batches, "steps": train(model, batches, **loss)}


def word_labels(directory, max_length):
    """As tokenize_and_align_labels of run_ner does with label_all_tokens=False."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    rows = []
    for sentence, tags in SENTENCES:
        words, ids = sentence.split(" "), [TAGS.index(tag) for tag in tags.split(" ")]
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
        labels, previous = [], None
        for word in encoded.word_ids():
            labels.append(-100 if word is None or word == previous else ids[word])
            previous = word
        rows.append({"words": words, "tagIds": ids, "inputIds": encoded["input_ids"], "labels": labels})
    return {"tags": TAGS, "maxLength": max_length, "rows": rows}


def skewed(random):
    return int(random.choice(3, p=[0.6, 0.3, 0.1]))


torch.set_num_threads(1)
print(
    json.dumps(
        {
            "madeWith": {"torch": torch.__version__, "transformers": transformers.__version__},
            "settings": SETTINGS,
            "tokenClassification": token_classification(),
            "maskedLM": masked_lm(),
            "multiLabel": sequence(
                "multi_label_classification", 23, lambda random: (random.random(3) < 0.4).astype(float).tolist()
            ),
            "regression": sequence("regression", 24, lambda random: round(float(random.normal()), 3)),
            "balanced": sequence("single_label_classification", 25, skewed, loss_of=weighted_loss),
            "focal": sequence("single_label_classification", 26, skewed, loss_of=focal_loss),
            "wordLabels": word_labels(sys.argv[1], 24),
        }
    )
)
