"""Loads an exported model as a user of Transformers would and prints its logits as JSON.

Usage: python test/golden/verify_export.py DIRECTORY < request.json
Request: {"texts": [...], "maxLength": 128}
Answer: {"logits": [[...], ...], "labels": {"0": "ham", ...}, "class": "BertForSequenceClassification"}
"""

import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

directory = sys.argv[1]
request = json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(directory)
model, report = AutoModelForSequenceClassification.from_pretrained(directory, output_loading_info=True)
problems = {name: sorted(keys) for name, keys in report.items() if keys and not isinstance(keys, str)}
if problems:
    sys.exit(f"the exported weights do not fit the class: {problems}")
model.eval()
logits = []
with torch.no_grad():
    for text in request["texts"]:  # one by one: no padding, as a user would ask for a single text
        encoded = tokenizer(text, truncation=True, max_length=request["maxLength"], return_tensors="pt")
        logits.append(model(**encoded).logits[0].tolist())
print(json.dumps({"logits": logits, "labels": model.config.id2label, "class": type(model).__name__}))
