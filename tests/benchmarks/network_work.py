"""What the benchmarks of the network measure, on a CPU and on a GPU alike.

One thread. Seconds are seconds of the processor on a CPU, so that other programs on the machine
count little, and of the clock on a GPU. Of several tries, taken turn about, the least is kept.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.optim import Adam

from model.config import BIGRU_HIDDEN, ModelConfig
from model.network.layers.aggregators import AggregatorWeights
from model.network.layers.conv import WmaGinConv
from model.network.layers.edges import along_edges, edge_list
from model.network.layers.full_adjacent import neighbourhood
from model.network.nodes import Nodes
from model.systems.wma_gin import WmaGin

FEATURES, CLASSES, HIDDEN = 78, 4, 256
THIRDS = AggregatorWeights(softmax=1 / 3, sum=1 / 3, mean=1 / 3)

Work = Callable[[], object]


@dataclass(frozen=True)
class Bench:
    """Pieces of work on one device, and their measure."""

    device: str

    def fa_layer(self, *, edges: bool, batch: int, nodes: int, alone: bool = False) -> Work:
        """One fully adjacent layer, forward and backward; ``alone``: its aggregation without map.

        Its edges are listed beforehand.
        """
        real = Nodes.of(torch.full((batch,), nodes, device=self.device), nodes)
        layer = WmaGinConv(HIDDEN, HIDDEN).to(self.device)
        if edges:
            aggregate = along_edges(edge_list(real, reach=nodes, include_self=True), THIRDS)
        else:
            aggregate = neighbourhood(real, THIRDS, include_self=True)
        x_BNH = torch.randn(batch, nodes, HIDDEN, device=self.device, requires_grad=True)
        up_BNH = torch.randn(batch, nodes, HIDDEN, device=self.device)

        def work() -> None:
            layer.zero_grad()
            x_BNH.grad = None
            result = aggregate(x_BNH) if alone else layer(x_BNH, aggregate)
            result.backward(up_BNH[:, : result.shape[1]])

        return work

    def step(
        self, config: ModelConfig, *, edges: bool = False, batch: int, nodes: int, parts: int = 1
    ) -> Work:
        """One training step on full segments; its gradients may be gathered in several parts."""
        torch.manual_seed(0)
        network = WmaGin.from_config(config, FEATURES, CLASSES, 120, edges=edges).to(self.device)
        optimiser = Adam(network.parameters(), lr=1e-4, weight_decay=1e-8)
        x_BNF = torch.randn(batch, nodes, FEATURES, device=self.device)
        nodes_B = torch.full((batch,), nodes, device=self.device)
        labels_B = torch.arange(batch, device=self.device) % CLASSES
        cut = [values.chunk(parts) for values in (x_BNF, nodes_B, labels_B)]

        def work() -> None:
            optimiser.zero_grad()
            for x, real, labels in zip(*cut, strict=True):
                (network.loss(network(x, real, real), labels) / parts).backward()
            optimiser.step()

        return work

    def bare_products(self, config: ModelConfig, *, batch: int, nodes: int) -> Work:
        """What no form of the step can do without: its matrix products and its GRUs, alone.

        Forward and backward, of the same shapes; no aggregation, activation, loss or optimiser.
        """
        phase, hidden = 2 * BIGRU_HIDDEN, config.hidden
        grus = [nn.GRU(FEATURES, BIGRU_HIDDEN, batch_first=True) for _ in range(2)]
        grus = [gru.to(self.device) for gru in grus]
        widths = [phase] + [hidden] * config.layers
        maps = list(map(self._leaf, widths[1:], widths))
        at_layer = {width: self._leaf(batch, nodes, width) for width in widths}
        x_BNF = torch.randn(batch, nodes, FEATURES, device=self.device)
        query_GF, gru_BNG = self._leaf(phase, FEATURES), self._leaf(batch, nodes, phase)
        weight_B1N = self._leaf(batch, 1, nodes)

        def products() -> Iterator[Tensor]:
            yield from (gru(x_BNF)[0] for gru in grus)
            yield from (
                linear(at_layer[w], map_HW) for w, map_HW in zip(widths, maps, strict=False)
            )
            query_BNG = linear(x_BNF, query_GF)
            yield torch.bmm(query_BNG, gru_BNG.transpose(1, 2))
            yield torch.bmm(weight_B1N, at_layer[hidden])

        ups = [torch.randn_like(product) for product in products()]

        def work() -> None:
            for product, up in zip(products(), ups, strict=True):
                product.backward(up)

        return work

    def seconds(self, *works: Work, tries: int = 5, first: bool = True) -> list[float]:
        """The least time of each piece of work; ``first``: once before, uncounted."""
        for work in works if first else ():
            work()
        least = [math.inf] * len(works)
        for _ in range(tries):
            for index, work in enumerate(works):
                least[index] = min(least[index], self._once(work))
        return least

    def _once(self, work: Work) -> float:
        if self.device == "cpu":
            began = time.process_time()
            work()
            return time.process_time() - began
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - began

    def _leaf(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.device, requires_grad=True)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of a straight line through the logarithms: 1 is linear, 2 quadratic."""
    logs = [(math.log(size), math.log(taken)) for size, taken in zip(sizes, seconds, strict=True)]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    rise = sum((x - mean_x) * (y - mean_y) for x, y in logs)
    return rise / sum((x - mean_x) ** 2 for x, _ in logs)
