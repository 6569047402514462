"""Makes training.json: a few steps of Hugging Face's Trainer on the small BERT for each way to train, and R-Drop's loss.

Loss, gradient norm and learning rate of every step, and of every weight at the end its norm and its product with
cos(index); with a moving average the same of the average, and its logits for the first rows. The mean over the micro-batches of a step is that of their rows together (num_items_in_batch); the head of
BertForSequenceClassification takes that number and does not use it, so the loss is given to the Trainer.

Usage: python test/golden/training.py     (Python as in requirements.txt)
"""

import json
import pathlib
import re
import tempfile

import torch
import transformers
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

HERE = pathlib.Path(__file__).parent
EPOCHS = 3
WEIGHT_DECAY = 0.01


def rows_of(batches):
    """The rows of bert-small.json without their padding."""
    rows = []
    for batch in batches:
        for row in range(batch["rows"]):
            part = slice(row * batch["length"], (row + 1) * batch["length"])
            length = sum(batch["attentionMask"][part])
            rows.append(
                {
                    "input_ids": batch["inputIds"][part][:length],
                    "token_type_ids": batch["tokenTypeIds"][part][:length],
                    "labels": batch["labels"][row],
                }
            )
    return rows


def collate(rows):
    length = max(len(row["input_ids"]) for row in rows)
    pad = lambda ids: ids + [0] * (length - len(ids))
    return {
        "input_ids": torch.tensor([pad(row["input_ids"]) for row in rows]),
        "attention_mask": torch.tensor([pad([1] * len(row["input_ids"])) for row in rows]),
        "token_type_ids": torch.tensor([pad(row["token_type_ids"]) for row in rows]),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


def mean_over_step(outputs, labels, num_items_in_batch=None):
    return torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum") / num_items_in_batch


class Recorder(TrainerCallback):
    def __init__(self):
        self.norms = []
        self.rates = []

    def on_step_begin(self, args, state, control, lr_scheduler=None, **kwargs):
        self.rates.append(lr_scheduler.get_last_lr()[0])

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" in logs:
            self.norms.append(float(logs["grad_norm"]))


class Averaging(TrainerCallback):
    """Keeps torch's exponential moving average of the weights, updated after each optimiser step."""

    def __init__(self, model, decay):
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.average.update_parameters(model)


class RecordingTrainer(Trainer):
    """Adds up what the micro-batches of each step give to its loss."""

    losses = ()

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        if self.losses and len(self.losses) == self.state.global_step + 1:
            self.losses[-1] += loss.item()
        else:
            self.losses = [*self.losses, loss.item()]
        return loss


def layer_scale(name, decay, layers):
    """decay ** (distance from the head): 0 for the head, 1 for the last layer, layers + 1 for the embeddings."""
    layer = re.search(r"\.layer\.(\d+)\.", name)
    if layer:
        return decay ** (layers - int(layer.group(1)))
    return decay ** (layers + 1) if "embeddings" in name else 1.0


def optimizer_by_layer(model, rate, decay):
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    groups = [
        {
            "params": [parameter],
            "lr": rate * layer_scale(name, decay, model.config.num_hidden_layers),
            "weight_decay": WEIGHT_DECAY if name in decayed else 0.0,
        }
        for name, parameter in model.named_parameters()
    ]
    groups.sort(key=lambda group: -group["lr"])  # the recorded rate is that of the first group: the head
    return torch.optim.AdamW(groups, lr=rate)


def fingerprint(model):
    result = {}
    for name, parameter in model.named_parameters():
        flat = parameter.detach().flatten().double()
        weights = torch.cos(torch.arange(flat.numel(), dtype=torch.float64))
        result[name] = {"norm": flat.norm().item(), "projection": (flat * weights).sum().item()}
    return result


def logits_of(model, rows):
    """[rows * labels] of one padded batch, without dropout."""
    model.eval()
    with torch.no_grad():
        inputs = collate(rows)
        inputs.pop("labels")
        return model(**inputs).logits.flatten().tolist()


def run(rows, case):
    model = BertForSequenceClassification.from_pretrained(HERE / "bert-small")
    for name, parameter in model.named_parameters():
        if any(name.startswith(prefix) for prefix in case.get("freeze", [])):
            parameter.requires_grad = False
    smoothing = case.get("labelSmoothing", 0.0)
    with tempfile.TemporaryDirectory() as directory:
        arguments = TrainingArguments(
            output_dir=directory,
            use_cpu=True,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=case["batchSize"],
            gradient_accumulation_steps=case["gradientAccumulationSteps"],
            learning_rate=case["learningRate"],
            warmup_steps=2,
            weight_decay=WEIGHT_DECAY,
            max_grad_norm=1.0,
            optim=case["optim"],
            optim_args=case.get("optimArgs"),
            label_smoothing_factor=smoothing,
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        recorder = Recorder()
        averaging = [Averaging(model, case["ema"]["decay"])] if "ema" in case else []
        decay = case.get("layerwiseLearningRateDecay")
        trainer = RecordingTrainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=collate,
            compute_loss_func=None if smoothing else mean_over_step,
            callbacks=[recorder, *averaging],
            optimizers=(None if decay is None else optimizer_by_layer(model, case["learningRate"], decay), None),
        )
        trainer.train()
    steps = [
        {"loss": loss, "gradientNorm": norm, "learningRate": rate}
        for loss, norm, rate in zip(trainer.losses, recorder.norms, recorder.rates, strict=True)
    ]
    result = {**case, "steps": steps, "weights": fingerprint(model)}
    if averaging:
        average = averaging[0].average.module
        result["average"] = {"weights": fingerprint(average), "logits": logits_of(average, rows[:6])}
    return result


ADAMW = {
    "optim": "adamw_torch",
    "optimizer": {"name": "AdamW"},
    "learningRate": 1e-3,
    "batchSize": 6,
    "gradientAccumulationSteps": 1,
}
UNEVEN = {"batchSize": 5, "gradientAccumulationSteps": 2}  # 24 rows: steps of 5 + 5, 5 + 5 and 4 rows
SGD = {**ADAMW, "optim": "sgd", "learningRate": 0.1}
CASES = {
    "gradient accumulation": {**ADAMW, **UNEVEN},
    "SGD": {**SGD, "optimizer": {"name": "SGD", "momentum": 0}},
    "SGD with momentum": {**SGD, "optimArgs": "momentum=0.9", "optimizer": {"name": "SGD", "momentum": 0.9}},
    "Adafactor": {**ADAMW, "optim": "adafactor", "optimizer": {"name": "Adafactor"}},
    "label smoothing": {**ADAMW, **UNEVEN, "labelSmoothing": 0.1},
    "frozen parts": {
        **ADAMW,
        "freeze": ["bert.embeddings.", "bert.encoder.layer.0.", "bert.encoder.layer.2.output.dense."],
    },
    "layer-wise learning-rate decay": {**ADAMW, "layerwiseLearningRateDecay": 0.6},
    "moving average": {**ADAMW, "ema": {"decay": 0.8}},
    "moving average, accumulation and frozen parts": {
        **ADAMW,
        **UNEVEN,
        "ema": {"decay": 0.5},
        "freeze": ["bert.embeddings."],
    },
}



def r_drop():
    """The divergence of two predictions as the authors of R-Drop compute it, and its gradients."""
    shape = (4, 3)
    first, second = [torch.sin(torch.arange(12.0) * (k + 1)).reshape(shape).requires_grad_() for k in range(2)]
    p, q = torch.log_softmax(first, -1), torch.log_softmax(second, -1)
    one = torch.nn.functional.kl_div(p, q.exp(), reduction="none").sum()
    other = torch.nn.functional.kl_div(q, p.exp(), reduction="none").sum()
    loss = (one + other) / 2
    loss.backward()
    return {
        "logits": [first.flatten().tolist(), second.flatten().tolist()],
        "divergence": loss.item(),
        "gradients": [first.grad.flatten().tolist(), second.grad.flatten().tolist()],
    }


torch.set_num_threads(2)
torch.manual_seed(1)
rows = rows_of(json.loads((HERE / "bert-small.json").read_text())["batches"])
golden = {
    "madeWith": {"torch": torch.__version__, "transformers": transformers.__version__},
    "weightDecay": WEIGHT_DECAY,
    "rDrop": r_drop(),
    "cases": {name: run(rows, case) for name, case in CASES.items()},
}
(HERE / "training.json").write_text(json.dumps(golden) + "\n")
