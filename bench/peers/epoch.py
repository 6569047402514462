"""Fine-tunes with the Hugging Face Trainer, as a user's script would, and prints one JSON line with times and scores.

Usage: epoch.py SETTINGS     a JSON file: model, train, test, textColumn, maxLength, batchSize, epochs, learningRate, seed,
                             sampling ("group_by_length" or "random"), threads, output
"""

import json
import sys
import time

started = time.perf_counter()

import torch
import transformers
from sklearn.metrics import f1_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

settings = json.load(open(sys.argv[1]))
torch.set_num_threads(settings["threads"])


class Rows(torch.utils.data.Dataset):
    def __init__(self, file, tokenizer):
        rows = [json.loads(line) for line in open(file)]
        encoded = tokenizer(
            [row["text"] for row in rows], truncation=True, max_length=settings["maxLength"]
        )
        labels = sorted({row["label"] for row in rows})
        self.rows = [
            {**{key: encoded[key][i] for key in encoded}, "labels": labels.index(row["label"])}
            for i, row in enumerate(rows)
        ]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class FirstStep(TrainerCallback):
    seconds = None

    def on_step_end(self, *_, **__):
        if self.seconds is None:
            self.seconds = time.perf_counter() - started


tokenizer = AutoTokenizer.from_pretrained(settings["model"])
model = AutoModelForSequenceClassification.from_pretrained(settings["model"], num_labels=2)
first = FirstStep()
clock = time.perf_counter()
train, test = Rows(settings["train"], tokenizer), Rows(settings["test"], tokenizer)
tokenize_seconds = time.perf_counter() - clock
arguments = TrainingArguments(
    output_dir=settings["output"],
    per_device_train_batch_size=settings["batchSize"],
    per_device_eval_batch_size=settings["batchSize"],
    num_train_epochs=settings["epochs"],
    learning_rate=settings["learningRate"],
    train_sampling_strategy=settings["sampling"],
    seed=settings["seed"],
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
    use_cpu=True,
    dataloader_pin_memory=False,
)
trainer = Trainer(
    model=model,
    args=arguments,
    train_dataset=train,
    eval_dataset=test,
    data_collator=DataCollatorWithPadding(tokenizer),
    processing_class=tokenizer,
    callbacks=[first],
)
clock = time.perf_counter()
trainer.train()
train_seconds = time.perf_counter() - clock
clock = time.perf_counter()
prediction = trainer.predict(test)
evaluate_seconds = time.perf_counter() - clock
trainer.save_model(settings["output"])
print(
    json.dumps(
        {
            "tokenizeSeconds": tokenize_seconds,
            "trainSeconds": train_seconds,
            "evaluateSeconds": evaluate_seconds,
            "firstStepSeconds": first.seconds,
            "f1": f1_score(prediction.label_ids, prediction.predictions.argmax(-1), average="macro"),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
    )
)
