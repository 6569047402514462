"""The training loop of all golden steps that do not come from the Hugging Face Trainer: AdamW with its exclusions from
decay, a linear schedule with warm-up, clipping. Imported by the other scripts."""

import torch
from transformers import Trainer, get_linear_schedule_with_warmup

SETTINGS = {
    "learningRate": 1e-3,
    "warmupSteps": 3,
    "totalSteps": 24,
    "weightDecay": 0.01,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "maxGradNorm": 1.0,
}


def optimizer_of(model, settings):
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    groups = [
        {"params": [p for n, p in model.named_parameters() if n in decayed], "weight_decay": settings["weightDecay"]},
        {"params": [p for n, p in model.named_parameters() if n not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=settings["learningRate"], betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"]
    )


def train(model, batches, settings, loss_of, count=None):
    """Loss, gradient norm and learning rate of each step, or of the first `count`; the batches come round and round."""
    optimizer = optimizer_of(model, settings)
    schedule = get_linear_schedule_with_warmup(optimizer, settings["warmupSteps"], settings["totalSteps"])
    model.train()  # all dropout rates are 0
    steps = []
    for step in range(count or settings["totalSteps"]):
        rate = schedule.get_last_lr()[0]
        loss = loss_of(model, batches[step % len(batches)])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["maxGradNorm"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        steps.append({"loss": loss.item(), "gradientNorm": norm.item(), "learningRate": rate})
    return steps
