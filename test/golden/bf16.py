"""Training steps of each family and task under PyTorch's autocast to bfloat16, on the CPU:

  bf16.json   the losses of the first 20 of the 50 steps in architectures/<family>.json, which are in float32, and how far
              the gradients of the first batch are from those in float32

Usage: python test/golden/bf16.py      (Python as in requirements.txt; after architectures.py)
The loss is computed from float32 logits: autocast does that on CUDA, on the CPU it would leave it in bfloat16.
"""

import json

import torch
import transformers
from architectures import FAMILIES, FOLDER, TASKS, arguments_of, without_dropout
from architectures import loss_of as single_loss_of
from loop import train
from make import HERE
from torch.nn.functional import cross_entropy

STEPS = 20


def loss_of(task):
    def loss(model, batch):
        arguments = arguments_of(task)(batch, model)
        labels = arguments.pop("labels")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**arguments).logits
        return cross_entropy(logits.float().flatten(0, -2), labels.flatten())

    return loss


def gradients(model, loss, batch):
    model.zero_grad()
    loss(model, batch).backward()
    found = {name: p.grad.double() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def distance(got, want):
    """How far all gradients together are from the wanted ones, relative to their norm."""
    norm = lambda tensors: sum(tensor.square().sum() for tensor in tensors).sqrt().item()
    return norm([got[name] - want[name] for name in want]) / norm(want.values())


def figures(family, task):
    golden = json.loads((FOLDER / f"{family}.json").read_text())
    config = without_dropout(transformers.AutoConfig.from_pretrained(FOLDER / family))
    model = TASKS[task].from_pretrained(
        FOLDER / family, config=config, dtype=torch.float32, attn_implementation="eager"
    )
    model.train()  # all dropout rates are 0
    batches = golden["batches"]
    low, single = (gradients(model, loss(task), batches[0]) for loss in (loss_of, single_loss_of))
    steps = train(model, batches, golden["settings"], loss_of(task), STEPS)
    return {"losses": [step["loss"] for step in steps], "gradientDistance": distance(low, single)}


if __name__ == "__main__":
    torch.set_num_threads(2)
    made_with = {"torch": torch.__version__, "transformers": transformers.__version__}
    families = {family: {task: figures(family, task) for task in TASKS} for family in FAMILIES}
    (HERE / "bf16.json").write_text(json.dumps({"madeWith": made_with, "families": families}) + "\n")
