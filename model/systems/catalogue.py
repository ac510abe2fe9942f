"""The systems of the paper's Table 3 by name: what tables print of each, and the file of its code.

A new system is one file in this folder and one entry in ``SYSTEMS``.

Light to import: no torch. `load` imports a system's file when it trains, so a worker that trains
WMA-GIN never waits for PyG or scikit-learn.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from model.config import WMA_GIN, ModelConfig
from model.errors import ModelConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from model.network.graph_network import GraphNetwork


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """Title, source and published facts of a system, and the file that holds its code."""

    implementation: str
    """``FILE:CLASS``, such as ``gcn:Gcn``: a file of this folder without its ending, and the
    subclass of `GraphNetwork` in it."""
    title: str
    """The system's name in tables, such as ``LSTM-GIN``."""
    source: str
    """Authors, venue and year of its publication, and arXiv number or doi where there is one."""
    parameters: int | None = None
    """Published number of parameters, rounded as printed (78K is 78,000); None if unpublished."""
    descriptors: str = "lld78"
    """Name of the descriptor set (`features.descriptors`) that it was published on."""
    sizes_open: bool = False
    """Whether the source leaves layer sizes open, so that our file chooses them."""
    figures: str = ""
    """Who measured its published scores, such as ``reported by LSTM-GIN's paper``; empty: its own
    authors."""
    network: bool = True
    """Whether it is a network on frames, trained by Adam; False for the SVM, which reads
    functionals (one row of statistics an utterance)."""


SYSTEMS: dict[str, System] = {
    # name in a study's `model:`, in the order in which help and errors list them
    WMA_GIN: System(
        implementation="wma_gin:WmaGin",
        title="WMA-GIN",
        source="Hu, Tang, Huang, He, Interspeech 2022, arXiv 2207.00940",
        parameters=980_000,
    ),
    "gcn": System(
        implementation="gcn:Gcn",
        title="GCN",
        source="Kipf and Welling, ICLR 2017, arXiv 1609.02907",
        parameters=78_000,
        sizes_open=True,
        figures="reported by LSTM-GIN's paper",
    ),
    "gat": System(
        implementation="gat:Gat",
        title="GAT",
        source="Velickovic et al., ICLR 2018, arXiv 1710.10903",
        sizes_open=True,
        figures="reported by LSTM-GIN's paper",
    ),
    "patchy-diff": System(
        implementation="patchy_diff:PatchyDiff",
        title="PATCHY-Diff",
        source="Ying et al., NeurIPS 2018, arXiv 1806.08804",
        parameters=68_000,
        sizes_open=True,
        figures="reproduced by WMA-GIN's paper",
    ),
    "ga-gru": System(
        implementation="ga_gru:GaGru",
        title="GA-GRU",
        source="Su, Chang, Lin, Lee, Interspeech 2020, doi 10.21437/Interspeech.2020-1733",
        sizes_open=True,
    ),
    "compact": System(
        implementation="compact:CompactGraph",
        title="Amir et al.",
        source="Shirian and Guha, ICASSP 2021, arXiv 2008.02063",
        parameters=30_000,
        descriptors="lld35",
    ),
    "l-grin": System(
        implementation="l_grin:LGrin",
        title="L-GrIN",
        source="Shirian, Tripathi, Guha, IEEE TMM 2021, doi 10.1109/TMM.2021.3059169",
        parameters=92_000,
        sizes_open=True,
        descriptors="lld35",
    ),
    "lstm-gin": System(
        implementation="lstm_gin:LstmGin",
        title="LSTM-GIN",
        source="Liu and Wang, Interspeech 2021",
        parameters=890_000,
        sizes_open=True,
    ),
    "svm": System(
        implementation="svm:SupportVectorMachine",
        title="eGeMAPS + SVM",
        source="functionals: Eyben et al., IEEE TAC 2016, doi 10.1109/TAFFC.2015.2457417",
        network=False,
    ),
}


def load(name: str) -> "type[GraphNetwork]":
    """Import the file of one system, and return its class.

    Args:
        name: a key of ``SYSTEMS``.

    Returns:
        The class that ``SYSTEMS[name].implementation`` names.
    """
    module, _, class_name = SYSTEMS[name].implementation.partition(":")
    loaded: type[GraphNetwork] = getattr(import_module(f"{__package__}.{module}"), class_name)
    return loaded


def build(
    config: ModelConfig,
    features: int,
    classes: int,
    nodes: int,
    mean_F: "Tensor | None" = None,
    std_F: "Tensor | None" = None,
) -> "GraphNetwork":
    """Build the untrained network of any system but the SVM, which is no network.

    Args:
        config: the system's name and, of WMA-GIN, its sizes.
        features: channels F of a node.
        classes: number of classes C.
        nodes: most nodes N of a segment; only L-GrIN's size depends on it.
        mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
        std_F: their standard deviation, ``(F,)``; 1 if None.

    Raises:
        ModelConfigError: the system is unknown or no network, or the configuration is impossible.
    """
    if config.model not in SYSTEMS or not SYSTEMS[config.model].network:
        raise ModelConfigError(
            f"`model` must be a network to be built, but is `{config.model}` instead: "
            f"{', '.join(SYSTEMS)}."
        )
    return load(config.model).from_config(config, features, classes, nodes, mean_F, std_F)
