"""Fine-tunes with the Hugging Face Trainer, as a user's script would, and prints one JSON line with times and scores.

Usage: epoch.py SETTINGS     a JSON file: model, train, test, textColumn, maxLength, batchSize, epochs, learningRate, seed,
                             sampling ("group_by_length" or "random"), threads, output
"""

import json
import sys

from trainer_run import FirstStep, Rows, arguments, timed, versions

import torch
from sklearn.metrics import f1_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    set_seed,
)

settings = json.load(open(sys.argv[1]))
torch.set_num_threads(settings["threads"])


def encoded(file):
    rows = [json.loads(line) for line in open(file)]
    tokens = tokenizer(
        [row["text"] for row in rows], truncation=True, max_length=settings["maxLength"]
    )
    labels = sorted({row["label"] for row in rows})
    return Rows(
        [
            {**{key: tokens[key][i] for key in tokens}, "labels": labels.index(row["label"])}
            for i, row in enumerate(rows)
        ]
    )


# Before the model: it draws the weights of its new head. The Trainer itself sets the seed only later.
set_seed(settings["seed"])
tokenizer = AutoTokenizer.from_pretrained(settings["model"])
model = AutoModelForSequenceClassification.from_pretrained(settings["model"], num_labels=2)
first = FirstStep()
(train, test), tokenize_seconds = timed(lambda: (encoded(settings["train"]), encoded(settings["test"])))
trainer = Trainer(
    model=model,
    args=arguments(settings, train_sampling_strategy=settings["sampling"]),
    train_dataset=train,
    eval_dataset=test,
    data_collator=DataCollatorWithPadding(tokenizer),
    processing_class=tokenizer,
    callbacks=[first],
)
_, train_seconds = timed(trainer.train)
prediction, evaluate_seconds = timed(lambda: trainer.predict(test))
trainer.save_model(settings["output"])
print(
    json.dumps(
        {
            "tokenizeSeconds": tokenize_seconds,
            "trainSeconds": train_seconds,
            "evaluateSeconds": evaluate_seconds,
            "firstStepAt": first.at,
            "f1": f1_score(prediction.label_ids, prediction.predictions.argmax(-1), average="macro"),
            "versions": versions,
        }
    )
)
