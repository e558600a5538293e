"""Times one training step of a BD3-LM's shape in PyTorch: f32, random weights, one thread.

A step is the pass forward over [x_t, x_0] with the block-diffusion mask, the cross entropy of the
masked rows, the way back, and AdamW. Prints a line of JSON per shape. `ms` is the CPU time of a step
/ 2, as if two cores shared the work without loss; it compares with the CPU time of all our threads
/ 2. Rotary embedding, adaptive modulation and dropout are left out: a little less work than ours.
"""

import json
import math
import os
import statistics
import time

# Before the import: OpenBLAS has threads of its own, which torch.set_num_threads() leaves alone.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import torch
from torch.nn.functional import cross_entropy, embedding, gelu, layer_norm, linear

SHAPES = [
    {
        "layers": 6,
        "width": 256,
        "heads": 4,
        "vocabulary": 4096,
        "length": 256,
        "block": 8,
        "sequences": 2,
    },
]
TRIES = 5


def random(*shape):
    return torch.nn.Parameter(torch.randn(*shape) * 0.02)


class Layer:
    def __init__(self, width):
        self.parameters = [
            random(3 * width, width),
            random(width, width),
            random(4 * width, width),
            random(4 * width),
            random(width, 4 * width),
            random(width),
            random(width),
            random(width),
        ]

    def forward(self, x, heads, mask):
        qkv, out, up, up_bias, down, down_bias, first, second = self.parameters
        width = x.shape[-1:]
        x = x + linear(attend(linear(layer_norm(x, width, first), qkv), heads, mask), out)
        h = gelu(linear(layer_norm(x, width, second), up, up_bias), approximate="tanh")
        return x + linear(h, down, down_bias)


def attend(qkv, heads, mask):
    sequences, rows, _ = qkv.shape
    q, k, v = qkv.view(sequences, rows, 3, heads, -1).permute(2, 0, 3, 1, 4)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return (weights @ v).transpose(1, 2).reshape(sequences, rows, -1)


def two_stream_mask(length, block):
    row = torch.arange(2 * length)
    is_noisy, of = row < length, row % length // block
    query, key = of[:, None], of[None, :]
    noisy_query, noisy_key = is_noisy[:, None], is_noisy[None, :]
    own = (noisy_query == noisy_key) & (query == key)
    past = noisy_query & ~noisy_key & (query > key)
    return own | past | (~noisy_query & ~noisy_key & (query >= key))


class Training:
    def __init__(self, *, layers, width, heads, vocabulary, length, block, sequences):
        self.heads, self.vocabulary = heads, vocabulary
        self.table = random(vocabulary, width)
        self.layers = [Layer(width) for _ in range(layers)]
        self.gain, self.head, self.bias = random(width), random(vocabulary, width), random(vocabulary)
        own = [self.table, self.gain, self.head, self.bias]
        self.optimizer = torch.optim.AdamW(own + [p for l in self.layers for p in l.parameters])
        self.mask = two_stream_mask(length, block)
        self.tokens = torch.randint(vocabulary, (sequences, 2 * length))
        # Half of the noisy rows, as on average.
        self.masked = torch.arange(length) % 2 == 0
        self.length = length

    def step(self):
        x = embedding(self.tokens, self.table)
        for layer in self.layers:
            x = layer.forward(x, self.heads, self.mask)
        x = x[:, : self.length][:, self.masked].flatten(0, 1)
        logits = linear(layer_norm(x, x.shape[-1:], self.gain), self.head, self.bias)
        targets = self.tokens[:, self.length :][:, self.masked].flatten()
        self.optimizer.zero_grad()
        cross_entropy(logits, targets).backward()
        self.optimizer.step()


def cpu_seconds(training):
    begin = time.process_time()
    training.step()
    return time.process_time() - begin


torch.manual_seed(0)
for shape in SHAPES:
    training = Training(**shape)
    training.step()
    ms = statistics.median(cpu_seconds(training) for _ in range(TRIES)) * 1000 / 2
    print(json.dumps({"shape": shape, "ms": ms}), flush=True)
