"""Makes tokenizers/ with transformers: a small tokenizer.json of each kind that is not WordPiece, and tokenizers.json, what
transformers makes of texts, pairs and lists of words with it.

  roberta                  byte-level BPE
  xlm-roberta, deberta-v2  Unigram of SentencePiece

Usage: python test/golden/tokenizers_of_families.py     (Python as in requirements.txt)
"""

import json
import pathlib
import shutil
import tempfile

import transformers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, DebertaV2Tokenizer, RobertaTokenizer, XLMRobertaTokenizer

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "tokenizers"
TEXTS = [
    "Free money now!",
    "  The meeting  is at noon,\tbring lunch. ",
    "Ada Lovelace's machine cost 3,000 pounds in 1843\nand was never built.",
    "naïve café über straße 日本語 \U0001f600",
    "a",
    "<mask> is not <s> here",
    "unsurprisingly, nobody remembers the misunderstanding; the meeting was free of money and of lunch",
]
# Of two long ones the longer keeps more where the room is odd.
LONG = [TEXTS[1], TEXTS[2], TEXTS[3], TEXTS[6]]
PAIRS = [(TEXTS[0], TEXTS[1]), (TEXTS[6], TEXTS[0]), (TEXTS[4], TEXTS[2]), *((a, b) for a in LONG for b in LONG)]
CORPUS = [text.replace("<", "").replace(">", "") for text in TEXTS] * 3
MAX_LENGTH = 16


def bpe(specials):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def unigram(specials, unknown):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=specials, unk_token=unknown, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return [tuple(entry) for entry in json.loads(tokenizer.to_str())["model"]["vocab"]]


def roberta():
    vocab, merges = bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return RobertaTokenizer(vocab=vocab, merges=merges)


def xlm_roberta():
    return XLMRobertaTokenizer(vocab=unigram(["<s>", "<pad>", "</s>", "<unk>"], "<unk>"))


def deberta():
    return DebertaV2Tokenizer(vocab=unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[UNK]"))


def encoded(tokenizer, *texts, side="right", **options):
    tokenizer.truncation_side = side
    got = tokenizer(*texts, truncation=True, max_length=MAX_LENGTH, return_token_type_ids=True, **options)
    return {"inputIds": got["input_ids"], "tokenTypeIds": got["token_type_ids"]}


def make(name, tokenizer, of_words=AutoTokenizer.from_pretrained):
    directory = FOLDER / name
    with tempfile.TemporaryDirectory() as saved:
        tokenizer.save_pretrained(saved)
        directory.mkdir(parents=True)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(pathlib.Path(saved) / file, directory / file)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    words = [text.split() for text in TEXTS]
    result = {"vocabulary": len(tokenizer)}
    for side in ("right", "left"):
        own = of_words(directory)
        own.truncation_side = side
        of_lists = own(words, is_split_into_words=True, truncation=True, max_length=MAX_LENGTH)
        result[side] = {
            "texts": encoded(tokenizer, TEXTS, side=side),
            "pairs": encoded(tokenizer, [a for a, _ in PAIRS], [b for _, b in PAIRS], side=side),
            "words": {
                "inputIds": of_lists["input_ids"],
                "places": [[-1 if w is None else w for w in of_lists.word_ids(row)] for row in range(len(words))],
            },
        }
    return result


def with_space(directory):
    """As run_ner loads the tokenizer of a RoBERTa model."""
    return AutoTokenizer.from_pretrained(directory, add_prefix_space=True)


shutil.rmtree(FOLDER, ignore_errors=True)
golden = {
    "roberta": make("roberta", roberta(), with_space),
    "xlm-roberta": make("xlm-roberta", xlm_roberta()),
    "deberta-v2": make("deberta-v2", deberta()),
}
(HERE / "tokenizers.json").write_text(
    json.dumps(
        {
            "madeWith": transformers.__version__,
            "maxLength": MAX_LENGTH,
            "texts": TEXTS,
            "pairs": PAIRS,
            "tokenizers": golden,
        }
    )
    + "\n"
)
