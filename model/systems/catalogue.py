"""The systems of Table 3 by name. A new one is one file in `baselines/` and an entry here.

Light to import: facts alone. Networks, PyG and scikit-learn are loaded when such a system trains,
so a worker that trains WMA-GIN never waits for them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.config import WMA_GIN, ModelConfig
from model.errors import ModelConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from model.network.graph_network import GraphNetwork
    from model.systems.rival import Rival


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """What is known of a system without building it."""

    title: str
    """What a table calls it."""
    source: str
    """Where it was published."""
    parameters: int | None = None
    """Published size as it was printed (78K is 78,000), or None."""
    descriptors: str = "lld78"
    """The frame descriptors that it was published on."""
    sizes_open: bool = False
    """Whether the source leaves sizes open, so that they are our reading."""
    figures: str = ""
    """Who measured the published figures, where it is not the system's own authors."""
    network: bool = True
    """Whether it is a network on frames; else it reads functionals and has no epochs of Adam."""


SYSTEMS: dict[str, System] = {
    WMA_GIN: System(
        title="WMA-GIN",
        source="Hu, Tang, Huang, He, Interspeech 2022, arXiv 2207.00940",
        parameters=980_000,
    ),
    "gcn": System(
        title="GCN",
        source="Kipf and Welling, ICLR 2017, arXiv 1609.02907",
        parameters=78_000,
        sizes_open=True,
        figures="reported by LSTM-GIN's paper",
    ),
    "gat": System(
        title="GAT",
        source="Velickovic et al., ICLR 2018, arXiv 1710.10903",
        sizes_open=True,
        figures="reported by LSTM-GIN's paper",
    ),
    "patchy-diff": System(
        title="PATCHY-Diff",
        source="Ying et al., NeurIPS 2018, arXiv 1806.08804",
        parameters=68_000,
        sizes_open=True,
        figures="reproduced by WMA-GIN's paper",
    ),
    "ga-gru": System(
        title="GA-GRU",
        source="Su, Chang, Lin, Lee, Interspeech 2020, doi 10.21437/Interspeech.2020-1733",
        sizes_open=True,
    ),
    "compact": System(
        title="Amir et al.",
        source="Shirian and Guha, ICASSP 2021, arXiv 2008.02063",
        parameters=30_000,
        descriptors="lld35",
    ),
    "l-grin": System(
        title="L-GrIN",
        source="Shirian, Tripathi, Guha, IEEE TMM 2021, doi 10.1109/TMM.2021.3059169",
        parameters=92_000,
        sizes_open=True,
        descriptors="lld35",
    ),
    "lstm-gin": System(
        title="LSTM-GIN",
        source="Liu and Wang, Interspeech 2021",
        parameters=890_000,
        sizes_open=True,
    ),
    "svm": System(
        title="eGeMAPS + SVM",
        source="functionals: Eyben et al., IEEE TAC 2016, doi 10.1109/TAFFC.2015.2457417",
        network=False,
    ),
}


def build(
    config: ModelConfig,
    features: int,
    classes: int,
    nodes: int,
    mean_F: "Tensor | None" = None,
    std_F: "Tensor | None" = None,
) -> "GraphNetwork":
    """Build a network of any system that is one.

    Args:
        config: which system; of WMA-GIN also its sizes.
        features: channels of a node.
        classes: emotions.
        nodes: most nodes of a segment; only L-GrIN's size depends on it.
        mean_F: mean of each feature over the training frames; 0 if None.
        std_F: their standard deviation; 1 if None.

    Raises:
        ModelConfigError: such a network cannot be built.
    """
    if config.model == WMA_GIN:
        from model.systems import wma_gin

        return wma_gin.build(config, features, classes, mean_F, std_F)
    return _rival(config.model)(features, classes, nodes, mean_F, std_F)


def _rival(name: str) -> "type[Rival]":
    """The class of a network that WMA-GIN is compared with; it alone is imported."""
    match name:
        case "gcn":
            from model.systems.gcn import Gcn

            return Gcn
        case "gat":
            from model.systems.gat import Gat

            return Gat
        case "patchy-diff":
            from model.systems.patchy_diff import PatchyDiff

            return PatchyDiff
        case "ga-gru":
            from model.systems.ga_gru import GaGru

            return GaGru
        case "compact":
            from model.systems.compact import CompactGraph

            return CompactGraph
        case "l-grin":
            from model.systems.l_grin import LGrin

            return LGrin
        case "lstm-gin":
            from model.systems.lstm_gin import LstmGin

            return LstmGin
    raise ModelConfigError(
        f"`model` must be a network to be built, but is `{name}` instead: {', '.join(SYSTEMS)}."
    )
