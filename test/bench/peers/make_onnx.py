"""Writes a transformer of the shipped model's shape as ONNX: `make_onnx.py FILE`.

6 layers of width 256, 4 heads, MLP of 1024, head over 4096 tokens; f32, random weights, any
number of tokens. No rotary embedding, adaptive modulation or cache: tokens see each other.
"""

import sys

import torch
from torch import nn

LAYERS, WIDTH, HEADS, VOCABULARY = 6, 256, 4, 4096


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        x = x + self.out(self.attend(self.qkv(self.norms[0](x))))
        # The erf form, which runtimes recognise and fuse; they may not with tanh.
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))

    def attend(self, qkv):
        q, k, v = (
            each.view(-1, HEADS, WIDTH // HEADS).transpose(0, 1) for each in qkv.chunk(3, dim=1)
        )
        weights = torch.softmax(q @ k.transpose(1, 2) * (WIDTH // HEADS) ** -0.5, dim=-1)
        return (weights @ v).transpose(0, 1).reshape(-1, WIDTH)


torch.manual_seed(0)
torch.onnx.export(
    nn.Sequential(
        nn.Embedding(VOCABULARY, WIDTH),
        *[Layer() for _ in range(LAYERS)],
        nn.LayerNorm(WIDTH),
        nn.Linear(WIDTH, VOCABULARY),
    ),
    torch.zeros(16, dtype=torch.int64),
    sys.argv[1],
    opset_version=17,
    input_names=["tokens"],
    output_names=["logits"],
    dynamic_axes={"tokens": {0: "rows"}, "logits": {0: "rows"}},
)
