"""Makes windows.json: windows over long texts and word lists, as transformers gives them with return_overflowing_tokens.

Usage: python test/golden/windows.py FOLDER_OF_MINILM > test/golden/windows.json
"""

import json
import sys

import transformers
from transformers import AutoTokenizer

TEXTS = [
    "Short.",
    "The antidisestablishmentarianism of 1871 was, unsurprisingly, a misunderstanding; nobody remembers Wolfenbüttel.",
    "free money now " * 9,
    "internationalization " * 6 + "ends here",
]
SETTINGS = [(12, 0), (12, 3), (12, 9), (16, 5), (8, 1)]


def labels_of(words, tags):
    """As tokenize_and_align_labels of run_ner does with label_all_tokens=False."""
    labels, previous = [], None
    for word in words:
        labels.append(-100 if word is None or word == previous else tags[word])
        previous = word
    return labels


def case(tokenizer, side, max_length, stride):
    tokenizer.truncation_side = side
    texts = [text.split() for text in TEXTS]
    tags = [[(place + row) % 5 for place in range(len(text))] for row, text in enumerate(texts)]
    overflow = {"truncation": True, "max_length": max_length, "stride": stride, "return_overflowing_tokens": True}
    plain = tokenizer(TEXTS, **overflow)
    words = tokenizer(texts, is_split_into_words=True, **overflow)
    samples = words["overflow_to_sample_mapping"]
    return {
        "side": side,
        "maxLength": max_length,
        "stride": stride,
        "texts": {"inputIds": plain["input_ids"], "samples": plain["overflow_to_sample_mapping"]},
        "words": {
            "inputIds": words["input_ids"],
            "samples": samples,
            "labels": [labels_of(words.word_ids(row), tags[sample]) for row, sample in enumerate(samples)],
        },
    }


tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
cases = [case(tokenizer, side, *setting) for side in ("right", "left") for setting in SETTINGS]
print(json.dumps({"madeWith": transformers.__version__, "textsGiven": TEXTS, "cases": cases}))
