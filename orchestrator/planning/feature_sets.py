"""Finds the descriptor sets of rows: in the catalogue, or by an openSMILE configuration file."""

from dataclasses import replace
from pathlib import Path

from features.descriptors import catalogue, opensmile_config
from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError
from orchestrator.study.resolve import Variant
from orchestrator.study.study import Study


def with_features(
    study: Study, variants: tuple[Variant, ...], allow_config: bool
) -> tuple[tuple[Variant, ...], dict[str, FeatureSet]]:
    """Find the descriptor set of every row.

    Args:
        study: the study file.
        variants: those of its rows.
        allow_config: whether an openSMILE configuration of the user's own may run here.

    Returns:
        The variants, in which a configuration file is replaced by a name with the digest of its
        content; and name -> descriptor set.

    Raises:
        StudyError: see `feature_set`.
    """
    sets: dict[str, FeatureSet] = {}
    named = []
    for variant in variants:
        chosen = feature_set(study, variant.features.features, allow_config)
        sets[chosen.name] = chosen
        features = replace(variant.features, features=chosen.name)
        named.append(replace(variant, features=features))
    return tuple(named), sets


def feature_set(study: Study, name: str, allow_config: bool) -> FeatureSet:
    """Find the descriptor set that a study file names.

    Args:
        study: the study file, for messages and relative paths.
        name: of a set of the catalogue, such as ``lld78``, or ``opensmile:PATH.conf``.
        allow_config: whether such a configuration may run on this machine.

    Raises:
        StudyError: the configuration is not allowed, or openSMILE cannot use it.
    """
    if not name.startswith(opensmile_config.PREFIX):
        return catalogue.feature_set(name)
    if not allow_config:
        raise study.fault(
            "features",
            f"`features` may be `{name}` only with `--allow-config`, on this machine: an "
            "openSMILE configuration is a program. Read it first.",
        )
    try:
        return opensmile_config.read(
            (Path(study.file).parent / name.removeprefix(opensmile_config.PREFIX)).resolve()
        )
    except CorpusError as error:
        raise study.fault("features", str(error)) from None
