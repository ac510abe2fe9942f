"""Which bits this machine's arithmetic gives: computed, since a processor's name does not tell.

The linear algebra behind PyTorch picks its code by the processor's maker, by its instructions and
by variables such as `MKL_CBWR`, all under one "AVX512": two such machines with the same PyTorch
gave other losses from the second epoch on. Caches and what only tensor units have changed nothing
(masked one by one on one machine), so a list of processors would part more than differs.
"""

import functools
import math
from hashlib import blake2b

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

WIDTHS = (64, 256)
"""Widths of the matrices: the library uses different code for different sizes."""


@functools.cache
def fingerprint() -> str:
    """Return 8 hexadecimal digits, a hash of the results of a few training steps on this processor.

    The steps are operations that the networks use, and no network, so that the digits change with
    the machine and not with our code. They run in one thread, as trainings do, and take a tenth of
    a second once a process.
    """
    digest = blake2b(digest_size=4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for width in WIDTHS:
            for value in _step(width):
                digest.update(value.detach().numpy().tobytes())
    finally:
        torch.set_num_threads(threads)
    return digest.hexdigest()


def _step(width: int) -> list[Tensor]:
    """Compute two rounds of attention and gates, their loss, and its gradients."""
    draw = torch.Generator().manual_seed(width)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw) / math.sqrt(shape[-1])

    x_BNF = drawn(8, 120, 32)
    weights = [drawn(width, 32), drawn(3 * width, 2 * width), drawn(4, width)]
    entry_HF, gates_GH, exit_CH = (weight.requires_grad_() for weight in weights)
    h_BNH = linear(x_BNF, entry_HF)
    for _ in range(2):
        near_BNH = torch.softmax(h_BNH @ h_BNH.transpose(1, 2), -1) @ h_BNH
        reset, update, new = linear(torch.cat([h_BNH, near_BNH], -1), gates_GH).chunk(3, -1)
        new = (new * reset.sigmoid()).tanh()
        h_BNH = new + update.sigmoid() * (h_BNH - new)
    loss = cross_entropy(linear(h_BNH.mean(1), exit_CH), torch.arange(8) % 4)
    return [loss, *torch.autograd.grad(loss, [entry_HF, gates_GH, exit_CH])]
