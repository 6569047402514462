"""Tokenises a text file line by line in batches of 1,000 and prints the seconds. Usage: tokenize_lines.py MODEL FILE LENGTH"""

import json
import sys
import time

import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(f"{sys.argv[1]}/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(int(sys.argv[3]))
lines = open(sys.argv[2]).read().split("\n")
started = time.perf_counter()
tokens = 0
for start in range(0, len(lines), 1000):
    tokens += sum(len(one.ids) for one in tokenizer.encode_batch(lines[start : start + 1000]))
print(json.dumps({"seconds": time.perf_counter() - started, "tokens": tokens, "version": tokenizers.__version__}))
