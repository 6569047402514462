"""Makes tasks.json with PyTorch and Transformers, on the CPU:

  tokenClassification, maskedLM   50 training steps each of the small BERT in bert-small/
  wordLabels                      tagged words as run_ner of Transformers tokenises and labels them

Usage: python test/golden/tasks.py MINILM_DIRECTORY > test/golden/tasks.json     (Python as in requirements.txt)
"""

import json
import pathlib
import sys

import numpy
import torch
import transformers
from transformers import AutoTokenizer, BertForMaskedLM, BertForTokenClassification, Trainer
from transformers import get_linear_schedule_with_warmup

HERE = pathlib.Path(__file__).parent
SETTINGS = {
    "learningRate": 1e-3,
    "warmupSteps": 5,
    "totalSteps": 50,
    "weightDecay": 0.01,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "maxGradNorm": 1.0,
}
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
    return {
        "input_ids": torch.tensor(batch["inputIds"]).reshape(shape),
        "attention_mask": torch.tensor(batch["attentionMask"]).reshape(shape),
        "labels": torch.tensor(batch["labels"]).reshape(shape),
    }


def train(model, batches):
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if n in decayed], "weight_decay": SETTINGS["weightDecay"]},
        {"params": [p for n, p in named if n not in decayed], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=SETTINGS["learningRate"], betas=(SETTINGS["beta1"], SETTINGS["beta2"]), eps=SETTINGS["epsilon"]
    )
    schedule = get_linear_schedule_with_warmup(optimizer, SETTINGS["warmupSteps"], SETTINGS["totalSteps"])
    model.train()  # all dropout rates are 0
    steps = []
    for step in range(SETTINGS["totalSteps"]):
        rate = schedule.get_last_lr()[0]
        loss = model(**tensors(batches[step % len(batches)])).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS["maxGradNorm"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        steps.append({"loss": loss.item(), "gradientNorm": norm.item(), "learningRate": rate})
    return steps


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


torch.set_num_threads(1)
print(
    json.dumps(
        {
            "madeWith": {"torch": torch.__version__, "transformers": transformers.__version__},
            "settings": SETTINGS,
            "tokenClassification": token_classification(),
            "maskedLM": masked_lm(),
            "wordLabels": word_labels(sys.argv[1], 24),
        }
    )
)
