"""Throughput of a Meta-SpikeFormer training step in PyTorch on the CPU, to be measured beside `bench/training.mjs`.

The same network (T = 1), the same step: forward, cross entropy, backward through a sigmoid surrogate, AdamW. Written for this measurement
in plain PyTorch, without spikingjelly, so that it needs nothing but Debian's python3-torch: /usr/bin/python3 bench/pytorch/training.py
[--batch 64] [--depths 1,1,2,6,2] [--dims 32,64,128,160] [--steps 5]
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Spike(torch.autograd.Function):
    """Heaviside forward, the derivative of a sigmoid (alpha 4) backward."""

    @staticmethod
    def forward(ctx, distance):
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (distance,) = ctx.saved_tensors
        sigmoid = torch.sigmoid(4 * distance)
        return gradient * (4 * (1 - sigmoid) * sigmoid)


class Neuron(nn.Module):
    """LIF at T = 1: the membrane is half the input."""

    def __init__(self, threshold=1.0):
        super().__init__()
        self.threshold = threshold

    def forward(self, x):
        return Spike.apply(x / 2 - self.threshold)


def conv(inputs, outputs, kernel, **options):
    return nn.Conv2d(inputs, outputs, kernel, bias=options.pop("bias", False), **options)


class ConvBlock(nn.Module):
    def __init__(self, channels, ratio=4):
        super().__init__()
        hidden = 2 * channels
        self.separable = nn.Sequential(
            Neuron(), conv(channels, hidden, 1), nn.BatchNorm2d(hidden), Neuron(),
            conv(hidden, hidden, 7, padding=3, groups=hidden), conv(hidden, channels, 1), nn.BatchNorm2d(channels),
        )
        wide = ratio * channels
        self.channels = nn.Sequential(
            Neuron(), conv(channels, wide, 3, padding=1), nn.BatchNorm2d(wide), Neuron(),
            conv(wide, channels, 3, padding=1), nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        x = x + self.separable(x)
        return x + self.channels(x)


class PaddedNorm(nn.Module):
    """Batch norm, then a border of what it makes of zero."""

    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.pad(self.bn(x), (1, 1, 1, 1))
        bn = self.bn
        value = (bn.bias - bn.running_mean * bn.weight / torch.sqrt(bn.running_var + bn.eps)).detach().view(1, -1, 1, 1)
        y[:, :, :1] = value
        y[:, :, -1:] = value
        y[:, :, :, :1] = value
        y[:, :, :, -1:] = value
        return y


def rep_conv(channels):
    return nn.Sequential(
        conv(channels, channels, 1), PaddedNorm(channels), conv(channels, channels, 3, groups=channels),
        conv(channels, channels, 1), nn.BatchNorm2d(channels), nn.BatchNorm2d(channels),
    )


class TransformerBlock(nn.Module):
    def __init__(self, channels, heads=8, ratio=4):
        super().__init__()
        self.heads = heads
        self.first = Neuron()
        self.q, self.k, self.v = (nn.Sequential(rep_conv(channels), Neuron()) for _ in range(3))
        self.attention = Neuron(0.5)
        self.project = rep_conv(channels)
        wide = ratio * channels
        self.mlp = nn.Sequential(
            Neuron(), nn.Conv1d(channels, wide, 1), nn.BatchNorm1d(wide), Neuron(),
            nn.Conv1d(wide, channels, 1), nn.BatchNorm1d(channels),
        )

    def forward(self, x):
        batch, channels, height, width = x.shape
        spikes = self.first(x)

        def tokens(projection):
            split = projection(spikes).flatten(2).transpose(1, 2)
            return split.reshape(batch, -1, self.heads, channels // self.heads).transpose(1, 2)

        q, k, v = tokens(self.q), tokens(self.k), tokens(self.v)
        y = q @ (k.transpose(-2, -1) @ v) * 0.125
        y = self.attention(y.transpose(2, 3).reshape(batch, channels, height, width))
        x = x + self.project(y)
        return x + self.mlp(x.flatten(2)).reshape(x.shape)


def network(dims, depths, strides, stem, classes):
    layers = []
    previous = 3
    outputs = [dims[0] // 2, *dims]
    for stage, (channels, depth, stride) in enumerate(zip(outputs, depths, strides)):
        kernel = stem if stage == 0 else 3
        if stage > 0:
            layers.append(Neuron())
        layers += [conv(previous, channels, kernel, stride=stride, padding=kernel // 2, bias=True), nn.BatchNorm2d(channels)]
        block = ConvBlock if stage < 3 else TransformerBlock
        layers += [block(channels) for _ in range(depth)]
        previous = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), Neuron(), nn.Linear(previous, classes))


def numbers(text):
    return [int(part) for part in text.split(",")]


parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--dims", type=numbers, default=[32, 64, 128, 160])
parser.add_argument("--depths", type=numbers, default=[1, 1, 2, 6, 2])
parser.add_argument("--strides", type=numbers, default=[1, 2, 2, 1, 1])
parser.add_argument("--size", type=int, default=32)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(1)
model = network(arguments.dims, arguments.depths, arguments.strides, 3, 10)
for module in model.modules():
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        nn.init.constant_(module.bias, 1.0)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
images = torch.rand(arguments.batch, 3, arguments.size, arguments.size) * 2 - 1
labels = torch.arange(arguments.batch) % 10
times = []
for _ in range(arguments.steps + 1):
    start = time.perf_counter()
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
    times.append(time.perf_counter() - start)
median = statistics.median(times[1:])
print(json.dumps({
    "engine": f"PyTorch {torch.__version__}",
    "parameters": sum(p.numel() for p in model.parameters()),
    "batchSize": arguments.batch,
    "threads": arguments.threads,
    "medianMilliseconds": round(1000 * median, 1),
    "imagesPerSecond": round(arguments.batch / median, 1),
}))
