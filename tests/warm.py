"""Imports everything that commands import, early or late: from then on, a fork costs no import."""

import importlib

import typer.main

from tests.tree import build_once

MODULES = (
    "features.descriptors.extraction",
    "features.descriptors.opensmile_engine",
    "matplotlib.figure",
    "model.network.layers.edges",
    "opensmile",
    "optuna",
    "orchestrator.cli.app",
    "orchestrator.execution.cluster.ray_cluster",
    "orchestrator.execution.run",
    "orchestrator.execution.worker.worker",
    "orchestrator.planning.cost.price",
    "orchestrator.report.figures.gallery",
    "orchestrator.report.formats",
    "orchestrator.report.results",
    "orchestrator.report.terminal.live",
    "orchestrator.study.reader",
    "pyarrow.ipc",
    "pyarrow.parquet",
    "s3fs",
    "scipy.stats",
    "soundfile",
    "torch._dynamo",  # torch's optimiser asks for it at its first step
)

for name in MODULES:
    importlib.import_module(name)

build_once()
typer.main.get_command(importlib.import_module("orchestrator.cli.app").app)
