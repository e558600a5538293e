"""Times one denoising step of a BD3-LM's shape in PyTorch: f32, random weights, one thread.

Prints a line of JSON per shape. `ms` is the CPU time of a step / 2, as if two cores shared the
work without loss; it compares with the CPU time of all our threads / 2. Rotary embedding and
adaptive modulation are left out: a little less work than in the network itself.
"""

import json
import math
import os
import pathlib
import statistics
import time

# Before the import: OpenBLAS has threads of its own, which torch.set_num_threads() leaves alone.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import torch
from torch.nn.functional import embedding, gelu, layer_norm, linear

# Rows: positions of the block; keys: positions that they attend to, their own among them.
SHAPES = [
    {"layers": 6, "width": 256, "heads": 4, "vocabulary": 4096, "rows": 16, "keys": 256},
    {"layers": 12, "width": 768, "heads": 12, "vocabulary": 50258, "rows": 16, "keys": 512},
]
TRIES = 5
TRY_SECONDS = 0.2


def random(*shape):
    return torch.randn(*shape) * 0.02


class Layer:
    def __init__(self, width, heads, rows, keys):
        self.heads = heads
        self.qkv = random(3 * width, width)
        self.out = random(width, width)
        self.up, self.up_bias = random(4 * width, width), random(4 * width)
        self.down, self.down_bias = random(width, 4 * width), random(width)
        self.gains = random(2, width)
        # The cache; its last rows are the block's, which every step writes anew.
        self.k = random(heads, keys, width // heads)
        self.v = random(heads, keys, width // heads)
        self.first = keys - rows

    def forward(self, x):
        width = x.shape[1:]
        h = layer_norm(x, width, self.gains[0])
        x = x + linear(self.attend(linear(h, self.qkv)), self.out)
        h = layer_norm(x, width, self.gains[1])
        h = gelu(linear(h, self.up, self.up_bias), approximate="tanh")
        return x + linear(h, self.down, self.down_bias)

    def attend(self, qkv):
        rows = qkv.shape[0]
        q, k, v = qkv.view(rows, 3, self.heads, -1).permute(1, 2, 0, 3)
        self.k[:, self.first :] = k
        self.v[:, self.first :] = v
        weights = torch.softmax(q @ self.k.mT / math.sqrt(q.shape[-1]), dim=-1)
        return (weights @ self.v).transpose(0, 1).reshape(rows, -1)


class Network:
    def __init__(self, *, layers, width, heads, vocabulary, rows, keys):
        self.embedding = random(vocabulary, width)
        self.layers = [Layer(width, heads, rows, keys) for _ in range(layers)]
        self.gain = random(width)
        self.head, self.head_bias = random(vocabulary, width), random(vocabulary)

    def step(self, tokens):
        x = embedding(tokens, self.embedding)
        for layer in self.layers:
            x = layer.forward(x)
        x = layer_norm(x, x.shape[1:], self.gain)
        return linear(x, self.head, self.head_bias).argmax(dim=-1)


def cpu_seconds(network, tokens):
    """CPU seconds of one step: the mean of as many as fill `TRY_SECONDS`."""
    begin = time.process_time()
    count = 0
    while time.process_time() - begin < TRY_SECONDS:
        network.step(tokens)
        count += 1
    return (time.process_time() - begin) / count


@torch.no_grad()
def measure(shape):
    """Two-core milliseconds of one step: the median of `TRIES`."""
    network = Network(**shape)
    tokens = torch.randint(shape["vocabulary"], (shape["rows"],))
    network.step(tokens)
    tries = [cpu_seconds(network, tokens) for _ in range(TRIES)]
    return statistics.median(tries) * 1000 / 2


def expect_fast_blas():
    """Exits where Debian's reference BLAS is loaded: against it, anything looks fast."""
    maps = pathlib.Path("/proc/self/maps")
    if maps.exists() and "/blas/libblas.so" in maps.read_text():
        raise SystemExit("Cannot measure: PyTorch uses the reference BLAS, expected libopenblas0")


torch.manual_seed(0)
expect_fast_blas()
for shape in SHAPES:
    print(json.dumps({"shape": shape, "ms": measure(shape)}), flush=True)
