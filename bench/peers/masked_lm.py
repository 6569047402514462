"""Adapts a masked language model with the Hugging Face Trainer as run_mlm does at its best: texts concatenated and cut into
blocks (group_texts), so that nothing is padded. Prints one JSON line with times and the loss on the test texts.

Usage: masked_lm.py SETTINGS     a JSON file: model, train, test, maxLength, batchSize, epochs, learningRate, seed, threads,
                                 output
"""

import json
import sys
import time

import torch
import transformers
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

started = time.perf_counter()
settings = json.load(open(sys.argv[1]))
torch.set_num_threads(settings["threads"])


class Blocks(torch.utils.data.Dataset):
    """group_texts: the remainder that fills no block is dropped."""

    def __init__(self, file, tokenizer):
        texts = [json.loads(line)["text"] for line in open(file)]
        encoded = tokenizer(texts, return_special_tokens_mask=True)
        size = settings["maxLength"]
        joined = {key: sum(encoded[key], []) for key in encoded}
        total = len(joined["input_ids"]) // size * size
        self.rows = [{key: joined[key][i : i + size] for key in joined} for i in range(0, total, size)]

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
model = AutoModelForMaskedLM.from_pretrained(settings["model"], attn_implementation="sdpa")
first = FirstStep()
clock = time.perf_counter()
train, test = Blocks(settings["train"], tokenizer), Blocks(settings["test"], tokenizer)
tokenize_seconds = time.perf_counter() - clock
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=settings["output"],
        per_device_train_batch_size=settings["batchSize"],
        per_device_eval_batch_size=settings["batchSize"],
        num_train_epochs=settings["epochs"],
        learning_rate=settings["learningRate"],
        optim="adamw_torch_fused",
        seed=settings["seed"],
        prediction_loss_only=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    ),
    train_dataset=train,
    eval_dataset=test,
    data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
    processing_class=tokenizer,
    callbacks=[first],
)
clock = time.perf_counter()
trainer.train()
train_seconds = time.perf_counter() - clock
clock = time.perf_counter()
loss = trainer.evaluate()["eval_loss"]
evaluate_seconds = time.perf_counter() - clock
print(
    json.dumps(
        {
            "tokenizeSeconds": tokenize_seconds,
            "trainSeconds": train_seconds,
            "evaluateSeconds": evaluate_seconds,
            "firstStepSeconds": first.seconds,
            "loss": loss,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
    )
)
