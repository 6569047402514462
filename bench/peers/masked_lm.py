"""Adapts a masked language model with the Hugging Face Trainer as run_mlm does at its best: texts concatenated and cut into
blocks (group_texts), so that nothing is padded. Prints one JSON line with times and the loss on the test texts.

Usage: masked_lm.py SETTINGS     a JSON file: model, train, test, maxLength, batchSize, epochs, learningRate, seed, threads,
                                 output
"""

import json
import sys

from trainer_run import FirstStep, Rows, arguments, timed, versions

import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    set_seed,
)

settings = json.load(open(sys.argv[1]))
torch.set_num_threads(settings["threads"])


def blocks(file):
    """group_texts: the remainder that fills no block is dropped."""
    texts = [json.loads(line)["text"] for line in open(file)]
    tokens = tokenizer(texts, return_special_tokens_mask=True)
    size = settings["maxLength"]
    joined = {key: sum(tokens[key], []) for key in tokens}
    total = len(joined["input_ids"]) // size * size
    return Rows([{key: joined[key][i : i + size] for key in joined} for i in range(0, total, size)])


# Before the model: it draws the weights of its new head. The Trainer itself sets the seed only later.
set_seed(settings["seed"])
tokenizer = AutoTokenizer.from_pretrained(settings["model"])
model = AutoModelForMaskedLM.from_pretrained(settings["model"], attn_implementation="sdpa")
first = FirstStep()
(train, test), tokenize_seconds = timed(lambda: (blocks(settings["train"]), blocks(settings["test"])))
trainer = Trainer(
    model=model,
    args=arguments(settings, optim="adamw_torch_fused", prediction_loss_only=True),
    train_dataset=train,
    eval_dataset=test,
    data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
    processing_class=tokenizer,
    callbacks=[first],
)
_, train_seconds = timed(trainer.train)
metrics, evaluate_seconds = timed(trainer.evaluate)
print(
    json.dumps(
        {
            "tokenizeSeconds": tokenize_seconds,
            "trainSeconds": train_seconds,
            "evaluateSeconds": evaluate_seconds,
            "firstStepAt": first.at,
            "loss": metrics["eval_loss"],
            "versions": versions,
        }
    )
)
