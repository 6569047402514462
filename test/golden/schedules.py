"""Makes schedules.json: learning rates of transformers' schedules, and of ReduceLROnPlateau after each evaluation.

Usage: python test/golden/schedules.py     (Python as in requirements.txt)
"""

import json
import pathlib

import torch
from transformers import get_scheduler

HERE = pathlib.Path(__file__).parent
LEARNING_RATE = 0.5
# The name and settings of a run config, the name and keyword arguments of transformers.
SCHEDULES = [
    ({"name": "Linear"}, "linear", {}),
    ({"name": "Cosine"}, "cosine", {}),
    ({"name": "CosineWithRestarts", "numCycles": 1}, "cosine_with_restarts", {"num_cycles": 1}),
    ({"name": "CosineWithRestarts", "numCycles": 3}, "cosine_with_restarts", {"num_cycles": 3}),
    ({"name": "Polynomial", "power": 1, "endLearningRate": 1e-7}, "polynomial", {}),
    ({"name": "Polynomial", "power": 2.5, "endLearningRate": 0.01}, "polynomial", {"power": 2.5, "lr_end": 0.01}),
    ({"name": "Constant"}, "constant", {}),
    ({"name": "ConstantWithWarmup"}, "constant_with_warmup", {}),
    ({"name": "InverseSqrt"}, "inverse_sqrt", {}),
]
PLATEAUS = [
    {"factor": 0.1, "patience": 2, "threshold": 1e-4, "cooldown": 0, "minLearningRate": 0},
    {"factor": 0.5, "patience": 0, "threshold": 0.02, "cooldown": 2, "minLearningRate": 0.05},
    {"factor": 0.3, "patience": 1, "threshold": 0, "cooldown": 1, "minLearningRate": 1e-3},
]
# Improves, stays, improves by less than a threshold, gets worse.
METRICS = [0.9, 0.7, 0.7, 0.69, 0.6, 0.599999, 0.599999, 0.65, 0.595, 0.61, 0.5, 0.55, 0.56, 0.57, 0.4, 0.4, 0.41, 0.41]


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LEARNING_RATE)


def rates_of(name, arguments, warmup, total):
    sgd = optimizer()
    schedule = get_scheduler(
        name, sgd, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=arguments
    )
    rates = []
    for step in range(total):
        rates.append(schedule.get_last_lr()[0])
        if step + 1 < total:  # transformers' polynomial divides by zero after a warm-up over all steps
            sgd.step()
            schedule.step()
    return rates


def plateau_rates(settings, lower_is_better):
    sgd = optimizer()
    schedule = get_scheduler(
        "reduce_lr_on_plateau",
        sgd,
        scheduler_specific_kwargs={
            "mode": "min" if lower_is_better else "max",
            "factor": settings["factor"],
            "patience": settings["patience"],
            "threshold": settings["threshold"],
            "cooldown": settings["cooldown"],
            "min_lr": settings["minLearningRate"],
        },
    )
    rates = []
    for metric in METRICS:
        schedule.step(metric if lower_is_better else 1 - metric)
        rates.append(sgd.param_groups[0]["lr"])
    return rates


golden = {
    "learningRate": LEARNING_RATE,
    "schedules": [
        {"schedule": schedule, "warmupSteps": warmup, "totalSteps": total, "rates": rates_of(name, arguments, warmup, total)}
        for schedule, name, arguments in SCHEDULES
        for warmup, total in [(0, 10), (4, 20), (10, 10), (25, 20)]
    ],
    "metrics": METRICS,
    "plateaus": [
        {"settings": {"name": "ReduceLROnPlateau", **settings}, "lowerIsBetter": lower, "rates": plateau_rates(settings, lower)}
        for settings in PLATEAUS
        for lower in [True, False]
    ],
}
(HERE / "schedules.json").write_text(json.dumps(golden) + "\n")
