"""Writes a BERT-base of random weights, for measurements that need its size and not its knowledge. Usage: bert_base.py OUT"""

import sys

import torch
from transformers import BertConfig, BertForSequenceClassification

torch.manual_seed(0)
BertForSequenceClassification(BertConfig(num_labels=2)).save_pretrained(sys.argv[1])
