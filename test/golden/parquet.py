"""Makes parquet/: small Parquet files as pandas, datasets and other writers leave them, and what is in them.

Needs pyarrow 26.0.1 and pandas 3.1.1. Usage: python test/golden/parquet.py
"""

import json
import pathlib

import pandas
import pyarrow
import pyarrow.parquet

folder = pathlib.Path(__file__).parent / "parquet"
folder.mkdir(exist_ok=True)
texts = ["free money now", "lunch at noon?", "Grüße, 😀", 'say "yes"\n\ttwice', "", "free money now", "会议在中午"]
labels = ["spam", "ham", "ham", "spam", "ham", "spam", "ham"]
expected = {}


def write(name, table, **options):
    pyarrow.parquet.write_table(table, folder / f"{name}.parquet", **options)
    expected[name] = table.to_pylist()


plain = pyarrow.table({"text": texts, "label": labels})
for codec in ["none", "snappy", "gzip", "zstd", "brotli"]:
    write(codec, plain, compression=codec)
write("row-groups", plain, row_group_size=3, compression="zstd")
write("pages-v2", plain, data_page_version="2.0", use_dictionary=False, write_page_index=True)
write("delta", plain, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY", "label": "DELTA_LENGTH_BYTE_ARRAY"})
write("large-strings", plain.cast(pyarrow.schema([("text", pyarrow.large_string()), ("label", pyarrow.large_string())])))
write("integers", pyarrow.table({"text": texts, "label": pyarrow.array([1, 0, -5, 2**53, 2**62, 1, 0], pyarrow.int64())}))
write("booleans", pyarrow.table({"label": [True, False, None, True, False, True, False], "text": texts}))
write("floats", pyarrow.table({"text": texts, "label": [1.0, 0.5, None, 2.0, 0.0, 1.0, 0.0]}))
write("missing", pyarrow.table({"text": [None, *texts[1:]], "label": [*labels[:-1], None]}))
write("bytes", pyarrow.table({"text": [b"plain", b"caf\xe9"], "label": ["a", "b"]}))
expected["bytes"] = [{"text": "plain", "label": "a"}, {"text": None, "label": "b"}]
write(
    "lists",
    pyarrow.table({"text": [["a", "b"], [], ["c"], None, ["d", None]], "label": [[1, 2], [], [3], None, [4, 5]]}),
)
write("struct", pyarrow.table({"text": texts, "label": [{"name": label} for label in labels]}))
write("lists-of-lists", pyarrow.table({"text": [[["a"]], [["b"], []]], "label": ["x", "y"]}))
write("time", pyarrow.table({"text": texts, "label": pyarrow.array(range(7), pyarrow.timestamp("us"))}))
write("lz4", plain, compression="lz4")
write("long-texts", pyarrow.table({"text": ["x" * 3_000_000] * 5 + ["y" * 11_000_000, "short"], "label": labels}), compression="zstd")
for name in ["long-texts", "struct", "lists-of-lists", "time", "lz4"]:
    del expected[name]

frame = pandas.DataFrame({"id": range(7), "text": texts, "label": pandas.Categorical(labels)}).iloc[1:]
frame.to_parquet(folder / "pandas.parquet")
expected["pandas"] = frame[["text", "label"]].to_dict("records")

with open(folder / "expected.json", "w") as file:
    json.dump({"madeWith": {"pyarrow": pyarrow.__version__, "pandas": pandas.__version__}, "rows": expected}, file, ensure_ascii=False)
    file.write("\n")
