"""Makes the golden files of each family with PyTorch and Transformers, on the CPU:

  architectures/<family>/   a small checkpoint with random weights: the encoder and the heads of all three tasks
  architectures/<family>.json   logits, loss, gradients and 50 training steps of each task

Usage: python test/golden/architectures.py [FAMILY...]      (Python as in requirements.txt; all families if none is named)
       python test/golden/architectures.py verify DIRECTORY
verify loads DIRECTORY/<family>-<task>/, which exports.test.ts has written, as a user of Transformers would, and
compares the logits with the golden ones.
"""

import json
import pathlib
import shutil
import sys

import numpy
import torch
import transformers
from huggingface_hub import split_torch_state_dict_into_shards
from loop import SETTINGS, train
from make import HERE, batches_of, tensors
from safetensors.torch import save_file
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

FOLDER = HERE / "architectures"
LABELS = 3
TASKS = {
    "SequenceClassification": AutoModelForSequenceClassification,
    "TokenClassification": AutoModelForTokenClassification,
    "MaskedLM": AutoModelForMaskedLM,
}
SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "initializer_range": 0.15,
}
# Half precision keeps the files small, and different types, names and numbers of files test the reader.
FAMILIES = {
    "bert": (transformers.BertConfig(**SIZES), torch.float32),
    "roberta": (transformers.RobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5), torch.float16),
    "xlm-roberta": (transformers.XLMRobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5), torch.bfloat16),
    "distilbert": (
        transformers.DistilBertConfig(
            vocab_size=90,
            dim=32,
            n_layers=2,
            n_heads=4,
            hidden_dim=48,
            max_position_embeddings=40,
            initializer_range=0.15,
        ),
        torch.float16,
    ),
    "electra": (transformers.ElectraConfig(**SIZES, embedding_size=16), torch.bfloat16),
    "modernbert": (
        transformers.ModernBertConfig(
            **{**SIZES, "num_hidden_layers": 3},
            local_attention=8,
            pad_token_id=0,
            bos_token_id=1,
            cls_token_id=1,
            eos_token_id=2,
            sep_token_id=2,
            embedding_dropout=0.1,
            attention_dropout=0.1,
            mlp_dropout=0.1,
            classifier_dropout=0.1,
        ),
        torch.bfloat16,
    ),
    # Layers in another order, and the other way to pool.
    "modernbert-mean": (
        transformers.ModernBertConfig(
            **SIZES,
            local_attention=6,
            layer_types=["sliding_attention", "full_attention"],
            rope_parameters={
                "full_attention": {"rope_type": "default", "rope_theta": 5000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
            },
            classifier_pooling="mean",
            pad_token_id=0,
            bos_token_id=1,
            cls_token_id=1,
            eos_token_id=2,
            sep_token_id=2,
        ),
        torch.float16,
    ),
    # The settings of microsoft/deberta-v3-base.
    "deberta-v2": (
        transformers.DebertaV2Config(
            **SIZES,
            relative_attention=True,
            position_buckets=8,
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            pos_att_type="p2c|c2p",
            position_biased_input=False,
            type_vocab_size=0,
            pooler_hidden_act="gelu",
        ),
        torch.float16,
    ),
    # The other choices that the family has.
    "deberta-v2-plain": (
        transformers.DebertaV2Config(
            **SIZES,
            relative_attention=True,
            max_relative_positions=12,
            share_att_key=False,
            pos_att_type=["p2c", "c2p"],
            type_vocab_size=2,
            embedding_size=16,
            cls_dropout=0.2,
        ),
        torch.bfloat16,
    ),
}


def without_dropout(config):
    """A copy of the config with every rate at 0: the files keep the rates, and the tests override them."""
    copy = type(config).from_dict(config.to_dict())
    for name in copy.to_dict():
        if "drop" in name:
            setattr(copy, name, 0.0)
    return copy


def models_of(config):
    """A model for each task, all with the same encoder and, where names are equal, with the same head."""
    torch.manual_seed(11)
    merged, models = {}, {}
    for task, auto in TASKS.items():
        model = auto.from_config(config, attn_implementation="eager")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" in name.lower() or name.endswith("bias"):
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        model.load_state_dict({**model.state_dict(), **{k: v for k, v in merged.items() if k in model.state_dict()}})
        tied = getattr(model, "_tied_weights_keys", None) or {}
        merged.update({k: v.clone() for k, v in model.state_dict().items() if k not in tied})
        models[task] = model
    return models, merged


def save(directory, config, state, sharded):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config.save_pretrained(directory)
    if not sharded:
        save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
        return
    split = split_torch_state_dict_into_shards(state, max_shard_size="20KB", filename_pattern="model{suffix}.safetensors")
    for name, keys in split.filename_to_tensors.items():
        save_file({key: state[key] for key in keys}, directory / name, metadata={"format": "pt"})
    index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def batches_for(config):
    random = numpy.random.default_rng(5)
    row = lambda length: (random.integers(5, 90, length).tolist(), int(random.integers(0, LABELS)))
    batches = batches_of([row(random.integers(3, 22)) for _ in range(12)], 4, config.pad_token_id)
    # A row that takes every position the family has, and the shortest one.
    longest = 38 if "roberta" in config.model_type else 40
    batches += batches_of([row(longest), row(1)], 1)
    for batch in batches:
        size = batch["rows"] * batch["length"]
        if getattr(config, "type_vocab_size", 2) == 1:
            batch["tokenTypeIds"] = [0] * size
        kept = [place for place in range(size) if batch["attentionMask"][place]]
        batch["tokenLabels"] = [int(random.integers(0, LABELS)) if place in kept[::2] else -100 for place in range(size)]
        batch["positions"] = sorted(random.choice(kept, min(3, len(kept)), replace=False).tolist())
        batch["targets"] = random.integers(5, 90, len(batch["positions"])).tolist()
    return batches


def labels_of(task, batch):
    if task == "SequenceClassification":
        return torch.tensor(batch["labels"])
    labels = torch.tensor(batch["tokenLabels"])
    if task == "MaskedLM":
        labels = torch.full_like(labels, -100)
        labels[batch["positions"]] = torch.tensor(batch["targets"])
    return labels.reshape(batch["rows"], batch["length"])


def arguments_of(task):
    return lambda batch, model: {**tensors(batch, model), "labels": labels_of(task, batch)}


def loss_of(task):
    return lambda model, batch: model(**arguments_of(task)(batch, model)).loss


def wanted_logits(task, batch, logits):
    """Those that count: of MaskedLM the chosen positions; padding is 0 for TokenClassification."""
    if task == "MaskedLM":
        return logits.flatten(0, 1)[batch["positions"]]
    if task == "TokenClassification":
        return logits * torch.tensor(batch["attentionMask"]).reshape(batch["rows"], batch["length"], 1)
    return logits


def logits_of(model, task, batches):
    result = []
    with torch.no_grad():
        for batch in batches:
            logits = model(**{**tensors(batch, model), "labels": None}).logits
            result.append([round(value, 6) for value in wanted_logits(task, batch, logits).flatten().tolist()])
    return result


def gradients_of(model, task, batch):
    """Loss, and norm and sum of the products with cos(index) of each parameter's gradient."""
    model.zero_grad()
    loss = model(**arguments_of(task)(batch, model)).loss
    loss.backward()
    tied = getattr(model, "_tied_weights_keys", None) or {}
    gradients = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        flat = parameter.grad.flatten().double()
        weights = torch.cos(torch.arange(flat.numel(), dtype=torch.float64))
        gradients[tied.get(name, name)] = [float(f"{value:.7g}") for value in (flat.norm().item(), (flat * weights).sum().item())]
    model.zero_grad()
    return {"loss": loss.item(), "gradients": gradients}


def make(family, config, dtype):
    config.num_labels = LABELS
    models, state = models_of(without_dropout(config))
    stored = {name: value.to(dtype).contiguous() for name, value in state.items()}
    save(FOLDER / family, config, stored, sharded=family == "xlm-roberta")
    batches = batches_for(config)
    settings = {**SETTINGS, "totalSteps": 50}
    tasks = {}
    for task, model in models.items():
        model.load_state_dict({k: v.float() for k, v in stored.items() if k in model.state_dict()}, strict=False)
        model.train()  # all dropout rates are 0
        tasks[task] = {
            "class": type(model).__name__,
            "logits": logits_of(model, task, batches),
            **gradients_of(model, task, batches[0]),
            "steps": train(model, batches, settings, loss_of(task)),
        }
    made_with = {"torch": torch.__version__, "transformers": transformers.__version__}
    golden = {"madeWith": made_with, "settings": settings, "batches": batches, "tasks": tasks}
    (FOLDER / f"{family}.json").write_text(json.dumps(golden) + "\n")


def buckets():
    """The bucket of each distance of microsoft/deberta-v3-base, in both directions."""
    distances = torch.arange(-511, 512)
    return make_log_bucket_position(distances, 256, 512).long().tolist()


def verify(directory):
    for path in sorted(directory.iterdir()):
        family, task = path.name.rsplit("-", 1)
        golden = json.loads((FOLDER / f"{family}.json").read_text())
        model, report = TASKS[task].from_pretrained(path, output_loading_info=True)
        problems = {name: sorted(keys) for name, keys in report.items() if keys and not isinstance(keys, str)}
        if problems:
            sys.exit(f"{path.name}: the exported weights do not fit the class: {problems}")
        model.eval()
        want = golden["tasks"][task]
        got = logits_of(model, task, golden["batches"])
        worst = max(abs(a - b) for left, right in zip(got, want["logits"]) for a, b in zip(left, right, strict=True))
        print(f"{path.name}: {type(model).__name__}, largest difference of a logit {worst:.1e}")
        if worst > 1e-4 or type(model).__name__ != want["class"]:
            sys.exit(f"{path.name} is another model than the one it was exported from")


if __name__ == "__main__":
    torch.set_num_threads(2)
    if sys.argv[1:2] == ["verify"]:
        verify(pathlib.Path(sys.argv[2]))
    else:
        for family in sys.argv[1:] or FAMILIES:
            make(family, *FAMILIES[family])
        (FOLDER / "deberta-buckets.json").write_text(json.dumps(buckets()) + "\n")
