"""Makes the golden files of the training engine with PyTorch and Transformers, on the CPU:

  bert-small/config.json, bert-small/model.safetensors   a small BERT with random weights
  bert-small.json   its logits and 24 training steps
  minilm.json       the same for a real model, without weights

Usage: python test/golden/make.py MINILM_DIRECTORY     (Python as in requirements.txt)
"""

import inspect
import json
import pathlib
import sys

import numpy
import torch
import transformers
from loop import SETTINGS, train
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "Congratulations, you have been selected for a free cruise. Reply now to claim your prize!",
    "The meeting moved to Thursday at ten; please bring the figures for the second quarter.",
    "Lowest prices on all medication, no prescription needed.",
    "Could you look at the patch I sent yesterday? The test on line 40 still fails.",
    "URGENT: your account will be closed unless you confirm your password.",
    "Thanks for dinner, we had a lovely evening.",
    "Make $5000 a week from home. No experience. Act today. This offer is limited to the first one hundred people "
    "who answer, so do not wait.",
    "The build is green again. I reverted the change to the parser and opened an issue with the details, the log and "
    "a small program that shows the problem.",
]


def batches_of(rows, width, padding=0):
    """Lists of (ids, label) as padded batches, in the form that the trainer's tests read."""
    result = []
    for start in range(0, len(rows), width):
        part = rows[start : start + width]
        length = max(len(ids) for ids, _ in part)
        result.append(
            {
                "rows": len(part),
                "length": length,
                "inputIds": [i for ids, _ in part for i in ids + [padding] * (length - len(ids))],
                "attentionMask": [m for ids, _ in part for m in [1] * len(ids) + [0] * (length - len(ids))],
                "tokenTypeIds": [
                    # The second half of a row counts as its second sentence.
                    t for ids, _ in part for t in [0] * (len(ids) // 2) + [1] * (len(ids) - len(ids) // 2) + [0] * (length - len(ids))
                ],
                "labels": [label for _, label in part],
            }
        )
    return result


def tensors(batch, model):
    """A batch as the arguments that the model takes: some families know no token types."""
    shape = (batch["rows"], batch["length"])
    known = inspect.signature(model.forward).parameters
    arguments = {
        "input_ids": torch.tensor(batch["inputIds"]).reshape(shape),
        "attention_mask": torch.tensor(batch["attentionMask"]).reshape(shape),
        "token_type_ids": torch.tensor(batch["tokenTypeIds"]).reshape(shape),
        "labels": torch.tensor(batch["labels"]),
    }
    return {name: value for name, value in arguments.items() if name in known}


def loss_of(model, batch):
    return model(**tensors(batch, model)).loss


def logits_of(model, batch):
    with torch.no_grad():
        return model(**tensors(batch, model)).logits.flatten().tolist()


def small():
    torch.manual_seed(11)
    config = BertConfig(
        vocab_size=120,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.15,
        num_labels=3,
    )
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" in name or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(HERE / "bert-small")
    random = numpy.random.default_rng(5)
    rows = [
        (random.integers(1, 120, random.integers(3, 25)).tolist(), int(random.integers(0, 3))) for _ in range(24)
    ]
    batches = batches_of(rows, 6)
    return {
        "madeWith": {"torch": torch.__version__, "transformers": transformers.__version__},
        "settings": SETTINGS,
        "batches": batches,
        "logits": [logits_of(model, batch) for batch in batches],
        "steps": train(model, batches, SETTINGS, loss_of),
    }


def minilm(directory):
    settings = {**SETTINGS, "learningRate": 5e-5, "totalSteps": 50, "warmupSteps": 5}
    model = BertForSequenceClassification.from_pretrained(
        directory, num_labels=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    with torch.no_grad():
        weight = model.classifier.weight
        index = torch.arange(weight.numel()).reshape(weight.shape)
        weight.copy_(((index * 37 % 101) - 50) / 1000)  # the test fills the head by the same formula
        model.classifier.bias.zero_()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    rows = [(tokenizer(text, truncation=True, max_length=64)["input_ids"], (i + 1) % 2) for i, text in enumerate(TEXTS)]
    batches = batches_of(rows, 4)
    return {
        "madeWith": {"torch": torch.__version__, "transformers": transformers.__version__},
        "settings": settings,
        "texts": TEXTS,
        "batches": batches,
        "logits": [logits_of(model, batch) for batch in batches],
        "steps": train(model, batches, settings, loss_of),
    }


def write(name, value):
    (HERE / name).write_text(json.dumps(value) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(2)
    write("bert-small.json", small())
    write("minilm.json", minilm(sys.argv[1]))
