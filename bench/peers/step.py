"""Training steps of a PyTorch loop, on demand: reads {"steps": n} a line, answers {"seconds": [...], "losses": [...]}.

Usage: step.py MODEL ROWS LENGTH VOCABULARY THREADS [bf16]
Attention is sdpa, the optimiser the fused AdamW, dropout that of config.json, gradients are clipped to norm 1. With bf16
the forward pass runs under autocast, as the Hugging Face Trainer does it.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForSequenceClassification

model_directory, rows, length, vocabulary, threads = sys.argv[1], *map(int, sys.argv[2:6])
bf16 = sys.argv[6:] == ["bf16"]
torch.set_num_threads(threads)
torch.manual_seed(1)
model = AutoModelForSequenceClassification.from_pretrained(
    model_directory, num_labels=2, attn_implementation="sdpa"
)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.01, fused=True)
# The same ids as the other side makes.
ids = torch.tensor([[1000 + (row * 7919 + i * 104729) % (vocabulary - 1000) for i in range(length)] for row in range(rows)])
batch = {
    "input_ids": ids,
    "attention_mask": torch.ones_like(ids),
    "token_type_ids": torch.zeros_like(ids),
    "labels": torch.arange(rows) % 2,
}
print(json.dumps({"ready": True, "version": torch.__version__}), flush=True)
for line in sys.stdin:
    seconds, losses = [], []
    for _ in range(json.loads(line)["steps"]):
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "losses": losses}), flush=True)
