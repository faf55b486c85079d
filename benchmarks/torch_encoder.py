"""The encoder of the benchmark in idiomatic PyTorch, from the same initial weights."""

# pyright: reportMissingImports=false
# PyTorch and Transformers are extras.

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import dropout, softmax

from attn_nlp.experiment import Cell


class Block(nn.Module):
    """Pre-norm: attention and a feed-forward layer, each with a residual connection."""

    def __init__(self, weights: dict, cell: Cell):
        super().__init__()
        self.heads, self.rate = cell.heads, cell.dropout
        self.scale = cell.numeric()["attention.scale.c"]
        project = weights["attention"]["project"]
        self.query, self.key, self.value, self.output = (
            linear(project[name]["kernel"]) for name in ("query", "key", "value", "output")
        )
        self.before, self.between = norm(weights["before"]), norm(weights["between"])
        self.up, self.down = (
            linear(weights[name]["kernel"], weights[name]["bias"]) for name in ("up", "down")
        )

    def forward(self, x, hidden):
        x = x + dropout(self.attend(self.before(x), hidden), self.rate, self.training)
        fed = self.down(torch.relu(self.up(self.between(x))))
        return x + dropout(fed, self.rate, self.training)

    def attend(self, x, hidden):
        """Return scaled dot-product attention; `hidden` (B, 1, 1, S) is True at padding."""
        batch, length, width = x.shape

        def split(projected):
            return projected.view(batch, length, self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        logits = (q @ k.transpose(-1, -2)) * self.scale
        weights = softmax(logits.masked_fill(hidden, -torch.inf), dim=-1)
        return self.output((weights @ v).transpose(1, 2).reshape(batch, length, width))


class Encoder(nn.Module):
    """Class logits (B, C) of ids (B, T)."""

    waves: torch.Tensor

    def __init__(self, weights: dict, cell: Cell):
        super().__init__()
        self.rate = cell.dropout
        self.embed = nn.Embedding.from_pretrained(
            tensor(weights["embed"]["embedding"]), freeze=False
        )
        blocks = weights["body"]["encoder"]["blocks"]
        self.blocks = nn.ModuleList(Block(blocks[number], cell) for number in sorted(blocks))
        self.last = norm(weights["body"]["encoder"]["last"])
        self.head = linear(weights["head"]["kernel"], weights["head"]["bias"])
        pair = np.arange(cell.width) // 2
        angle = np.arange(cell.length)[:, None] / 10000.0 ** (2 * pair / cell.width)
        waves = np.where(np.arange(cell.width) % 2 == 0, np.sin(angle), np.cos(angle))
        self.register_buffer("waves", tensor(waves))

    def forward(self, ids):
        tokens = ids != 0
        x = self.embed(ids) * self.embed.embedding_dim**0.5 + self.waves[: ids.shape[1]]
        x = dropout(x, self.rate, self.training)
        for block in self.blocks:
            x = block(x, ~tokens[:, None, None, :])
        x = self.last(x) * tokens[:, :, None]
        pooled = x.sum(dim=1) / tokens.sum(dim=1, keepdim=True)
        return self.head(dropout(pooled, self.rate, self.training))


def optimizer(model: nn.Module, cell: Cell, fused: bool = False):
    """Return AdamW that decays matrices only, and its schedule: linear warm-up, cosine to zero.

    With `fused`, one loop updates all numbers, which is the default of the Trainer.
    """
    arrays = list(model.parameters())
    groups = [
        {"params": [p for p in arrays if p.ndim > 1], "weight_decay": cell.weight_decay},
        {"params": [p for p in arrays if p.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=cell.learning_rate, fused=fused)
    rise = max(1, round(cell.steps * cell.warmup))

    def rate(step: int) -> float:
        step += 1
        if step < rise:
            return step / rise
        return 0.5 * (1 + np.cos(np.pi * (step - rise) / (cell.steps + 1 - rise)))

    return adamw, torch.optim.lr_scheduler.LambdaLR(adamw, rate)


def linear(kernel, bias=None) -> nn.Linear:
    """Return a layer with these weights; PyTorch stores (fan_out, fan_in)."""
    made = nn.Linear(*np.shape(kernel), bias=bias is not None)
    made.weight.data = tensor(np.asarray(kernel).T)
    if bias is not None:
        made.bias.data = tensor(bias)
    return made


def norm(weights: dict) -> nn.LayerNorm:
    made = nn.LayerNorm(len(weights["scale"]), eps=1e-6)
    made.weight.data, made.bias.data = tensor(weights["scale"]), tensor(weights["bias"])
    return made


def tensor(array) -> torch.Tensor:
    return torch.tensor(np.asarray(array, np.float32).copy())
