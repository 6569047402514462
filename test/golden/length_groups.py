"""Makes length-groups.json: the order of rows by transformers' length grouping. Needs torch and transformers.

Usage: python test/golden/length_groups.py > test/golden/length-groups.json
"""

import json

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

cases = []
for rows, batch_size, seed in [(1, 2, 0), (7, 2, 1), (40, 4, 2), (333, 2, 3), (1000, 3, 4)]:
    lengths = torch.randint(3, 60, (rows,), generator=torch.Generator().manual_seed(100 + seed)).tolist()
    permutation = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)).tolist()
    want = get_length_grouped_indices(lengths, batch_size, generator=torch.Generator().manual_seed(seed))
    cases.append({"batchSize": batch_size, "lengths": lengths, "permutation": permutation, "want": want})
print(json.dumps(cases, separators=(",", ":")))
