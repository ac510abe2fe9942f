"""Starts a run with the options of `ablate run`: on which machines, within which time budget."""

from dataclasses import dataclass

from orchestrator.errors import RequestError
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import Cluster, OnEvent
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.execution.events import Note
from orchestrator.execution.run import RunResult, everything, run
from orchestrator.planning.cost import price as prices
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.cost.machine import MEMORY_PER_TRIAL, cpu_count
from orchestrator.planning.cost.price import Price
from orchestrator.planning.cost.resources import Resources
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """The options of `ablate run` that say where trials train; None where none was given.

    Raises:
        RequestError: ``gpus_per_trial`` is neither a share of one GPU nor a whole number of them.
    """

    inline: bool = False
    """Whether trials train in this process, one after another, without Ray."""
    cpus: int | None = None
    """How many CPUs to use; None for all of this machine."""
    gpus: int | None = None
    """How many GPUs to use; 0 for none; None for all that Ray finds (inline: none)."""
    gpus_per_trial: float | None = None
    """GPUs of one trial: a share such as 0.25, or a whole number; None for what `ablate plan
    --probe` found to be best, or 1."""
    address: str | None = None
    """Address of a running Ray cluster, such as ``192.0.2.10:6379``; None for this machine."""

    def __post_init__(self) -> None:
        share = self.gpus_per_trial
        if share is not None and not (0 < share <= 1 or share == int(share) > 0):
            raise RequestError(
                "`--gpus-per-trial` must be a share such as 0.25 or a whole number, "
                f"but is `{share:g}` instead."
            )


class Launch:
    """Prepares one run of a study: chooses the cluster, then ``run`` trains on it.

    Args:
        study: the study.
        ledger: the store.
        machines: where to train.
        budget_s: seconds of wall time that the trainings may take; None trains all trials that
            have no outcome yet.
        allow_config: whether a configuration file of openSMILE that the study names
            (`features: opensmile:PATH.conf`) may run here: it can write files.

    Raises:
        AblateError, FeatureError: the machines are not there, or the study cannot be planned.
    """

    def __init__(
        self,
        study: Study,
        ledger: Ledger,
        machines: Machines,
        *,
        budget_s: float | None = None,
        allow_config: bool = False,
    ) -> None:
        self._study, self._ledger = study, ledger
        self._machines, self._budget_s, self._allow_config = machines, budget_s, allow_config
        self._threads = machines.cpus or cpu_count()
        self.cluster = self._cluster()

    def run(self, on_event: OnEvent) -> RunResult:
        """Train the trials that have no outcome yet, or those of them that the budget allows.

        Args:
            on_event: is called with every event, in this process.

        Returns:
            How the run ended.

        Raises:
            AblateError, FeatureError: before anything trains.
        """

        def choose(plan: Plan) -> BudgetSelection:
            """Select the trials for this run by the budget; warn where a search's is too small."""
            may_warn = plan.study.search is not None and self._machines.address is None
            if self._budget_s is None and not may_warn:
                return everything(plan)
            price = self._price(plan)
            if may_warn and (shortage := prices.budget_shortage(plan, price)):
                on_event(Note(shortage, loud=True))
            if self._budget_s is None:
                return everything(plan)
            return prices.select_within_budget(plan, price, self._budget_s)

        return run(
            self._study,
            self._ledger,
            self.cluster,
            on_event,
            threads=self._threads,
            allow_config=self._allow_config,
            choose=choose,
        )

    def _cluster(self) -> Cluster:
        """The cluster for the machines that the person names; it is not started yet."""
        machines = self._machines
        trial = self._trial_resources()
        if machines.inline:
            return InlineCluster(machines.gpus or 0)
        return RayCluster(
            cpus=self._threads,
            gpus=machines.gpus,
            gpus_per_trial=trial.gpus or 1.0,
            memory_per_trial=trial.memory,
            address=machines.address,
            store=self._ledger.root,
        )

    def _trial_resources(self) -> Resources:
        """What one trial reserves: as `ablate plan --probe` measured it on this machine, if it did.

        Else 1 CPU, ``MEMORY_PER_TRIAL`` bytes, and the GPUs that the person names.
        """
        machines = self._machines
        if machines.address is None and self._ledger.has_probes:
            plan = plan_study(self._study, self._ledger, allow_config=self._allow_config)
            return prices.measured_resources(
                plan, self._ledger, machines.gpus, machines.gpus_per_trial
            )
        return Resources(cpus=1, memory=MEMORY_PER_TRIAL, gpus=machines.gpus_per_trial or 0.0)

    def _price(self, plan: Plan) -> Price:
        """The price of the plan on this machine: hours, memory, trials at once."""
        lanes = 1 if self._machines.inline else self._machines.cpus
        return prices.price_plan(
            plan,
            self._ledger,
            lanes,
            self._machines.gpus,
            gpus_per_trial=self._machines.gpus_per_trial,
        )
