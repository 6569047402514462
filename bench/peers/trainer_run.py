"""What the scripts with the Hugging Face Trainer have in common: a data set of rows, the arguments, the clocks."""

import time

import torch
import transformers
from transformers import TrainerCallback, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class FirstStep(TrainerCallback):
    """When the first step ended, in seconds since 1970: whoever started the process knows when that was."""

    at = None

    def on_step_end(self, *_, **__):
        if self.at is None:
            self.at = time.time()


def arguments(settings, **more):
    return TrainingArguments(
        output_dir=settings["output"],
        per_device_train_batch_size=settings["batchSize"],
        per_device_eval_batch_size=settings["batchSize"],
        num_train_epochs=settings["epochs"],
        learning_rate=settings["learningRate"],
        seed=settings["seed"],
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        **more,
    )


def timed(work):
    """The result of `work` and the seconds that it took."""
    clock = time.perf_counter()
    result = work()
    return result, time.perf_counter() - clock


versions = {"torch": torch.__version__, "transformers": transformers.__version__}
