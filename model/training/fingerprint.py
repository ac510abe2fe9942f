"""A hash of this machine's arithmetic: machines with equal hashes train to equal bits.

It is computed, since a processor's name does not tell. The linear algebra behind PyTorch picks its
code by the processor's maker, by its instructions and by variables such as `MKL_CBWR`, all under
one "AVX512": two such machines with the same PyTorch gave other losses from the second epoch on.
Cache sizes and instructions of tensor units changed nothing (masked one by one on one machine), so
a list of processors would separate machines that compute alike.
"""

import functools
import math
from hashlib import blake2b

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

WIDTHS = (64, 256)
"""Hidden widths that `fingerprint` tries: the library uses other code for other matrix sizes."""


@functools.cache
def fingerprint() -> str:
    """Return 8 hexadecimal digits, a hash of the results of a few training steps on this processor.

    The steps are made of operations that the networks use but call no network, so the digits
    change with the machine and not with our code. They run in one thread, as trainings do. The
    first call in a process takes a tenth of a second; the result is cached.
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
    """Compute a loss through two rounds of attention and gates; return it and its gradients.

    Args:
        width: hidden width of the matrices; also the seed of the random inputs.
    """
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
