"""Describes the networks of a study: their parts, output shapes and numbers of parameters.

It builds the networks and trains nothing. Like the worker it imports both `model` and `features`,
since the feature set gives the size of the input.
"""

from dataclasses import dataclass

from model.config import WMA_GIN, ModelConfig
from model.network.description import Part, describe
from model.systems.catalogue import SYSTEMS, build
from orchestrator.errors import RequestError, nearest
from orchestrator.planning.feature_sets import with_features
from orchestrator.study.resolve import Variant, emotions
from orchestrator.study.study import Study
from orchestrator.study.trials import variants

SIZE_NOTES = {
    WMA_GIN: (
        "The paper prints 0.98M parameters (Table 3). Its text as it stands, with 78 descriptors "
        "and four classes, comes to 579,864: 159,744 in the Bi-GRU, 263,172 in four layers of one "
        "linear map, 151,808 in the three maps of the attention, 5,140 in five heads. No reading "
        "that adds nothing to the text reaches 0.98M.",
        "The figure cannot hold for both rows that carry it: 128 log-Mel channels need 51,200 "
        "parameters more than 78 descriptors, 38,400 in the Bi-GRU and 12,800 in the "
        "attention's query.",
        "`reading: size-matched` keeps every size that the text names and adds what it does not "
        "exclude: a LayerNorm in each layer, a hidden layer in each head, an output map in the "
        "attention. That comes to 976,664.",
    )
}
"""System -> sentences that say why its published number of parameters is not met."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """The network of one row of a study."""

    row: str
    """The name of the row."""
    model: str
    """The system that the row trains, such as ``wma-gin``."""
    reading: str
    """The named choice where the paper leaves something open, such as ``as-written``."""
    features: str
    """The name of the feature set, such as ``lld78``."""
    inputs: int
    """F, the number of channels of a node."""
    nodes: int
    """N, the largest number of nodes of a segment."""
    classes: tuple[str, ...]
    """The emotions that the network tells apart, in the order of its outputs."""
    parts: tuple[Part, ...]
    """The parts of the network in the order of their use; empty for a system without a network."""

    published: int | None
    """The published number of parameters; None if sizes or input are not those of the paper."""

    @property
    def parameters(self) -> int:
        """The number of trained parameters of all parts; 0 for a system without a network."""
        return sum(part.parameters for part in self.parts)


def architectures(
    study: Study, row: str | None = None, *, allow_config: bool = False
) -> tuple[Architecture, ...]:
    """Describe the networks of all rows of a study, or of one row; no corpus is needed.

    Args:
        study: the study.
        row: the name of one row; None for all rows.
        allow_config: whether an openSMILE configuration file, which a study names as
            `opensmile:PATH.conf`, may be read.

    Returns:
        One description for each row, in the order of the study.

    Raises:
        RequestError: no row has that name.
        StudyError: an openSMILE configuration file of the study cannot be used.
    """
    names = [known.name for known in study.rows]
    if row is not None and row not in names:
        raise RequestError(f"`{study.name}` has no row `{row}`. {nearest(row, names)}")
    # A profile says how a network is trained, never what it is: either will do.
    resolved, sets = with_features(study, variants(study, "paper"), allow_config)
    classes = tuple(emotions(study.settings))
    found = []
    for name, variant in zip(names, resolved, strict=True):
        if row not in (None, name):
            continue
        inputs = len(sets[variant.features.features].names())
        nodes = variant.features.segment_nodes
        parts: tuple[Part, ...] = ()
        if SYSTEMS[variant.model.model].network:
            network = build(variant.model, inputs, len(classes), nodes)
            parts = describe(network, inputs, nodes)
        found.append(
            Architecture(
                row=name,
                model=variant.model.model,
                reading=variant.reading,
                features=variant.features.features,
                inputs=inputs,
                nodes=nodes,
                classes=classes,
                parts=parts,
                published=_published(variant),
            )
        )
    return tuple(found)


def _published(variant: Variant) -> int | None:
    """The published number of parameters of a row's system.

    None if the row differs from the published system in layers, hidden size, attention, Bi-GRU or
    descriptors. All readings of WMA-GIN have the same published number, since each is what the
    paper may mean.
    """
    system, own = SYSTEMS[variant.model.model], variant.model
    printed_of = {system.descriptors, *(["logmel128"] if own.model == WMA_GIN else [])}
    if variant.features.features not in printed_of:
        return None
    whole = (own.layers, own.hidden, own.attention, own.bigru)
    default = ModelConfig()
    same = whole == (default.layers, default.hidden, default.attention, default.bigru)
    return system.parameters if own.model != WMA_GIN or same else None
