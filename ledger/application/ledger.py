"""One ledger: its parts, built once and in order. Callers use the parts; nothing is forwarded."""

from eventsourcing.persistence import AggregateRecorder

from ledger.application.appender import Appender
from ledger.application.attestation import Attestation, AttestationOptions
from ledger.application.authority.authority import Authority
from ledger.application.authority.changes import AuthorityChanges
from ledger.application.budgets.budgets import Budgets
from ledger.application.clocks import Clocks
from ledger.application.decisions.decisions import Decisions
from ledger.application.decisions.grounds import GroundsReader
from ledger.application.decisions.overrides import Overrides
from ledger.application.decisions.replay import Replayer
from ledger.application.decisions.shadow_comparison import ShadowComparisons
from ledger.application.decisions.trial import Trials
from ledger.application.decisions.trial_places import TrialPlaces
from ledger.application.drills import Drills
from ledger.application.erasure import Erasure
from ledger.application.evaluation.evaluator import Evaluator
from ledger.application.fleet.chosen_policy import ChosenPolicies
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.definitions import Definitions
from ledger.application.fleet.due_policies import DuePolicies
from ledger.application.fleet.fleet import Fleet
from ledger.application.fleet.history import HistoryReader
from ledger.application.fleet.intake import ObservationIntake
from ledger.application.fleet.repository import Aggregates
from ledger.application.fleet.shadowing import Shadowing
from ledger.application.fleet.shadows import ShadowReader
from ledger.application.governance.cases import Cases
from ledger.application.governance.governor import Governor
from ledger.application.jobs.commands import JobCommands
from ledger.application.jobs.deployments import JobDeployments
from ledger.application.jobs.due import DueJobs
from ledger.application.jobs.gated_models import GatedModels
from ledger.application.jobs.proposals import JobProposals
from ledger.application.jobs.put_backs import PutBackReader
from ledger.application.jobs.reader import JobReader
from ledger.application.jobs.roll_backs import RollBacks
from ledger.application.jobs.scheduled import ScheduledJobs
from ledger.application.jobs.stated_deployments import StatedDeployments
from ledger.application.lineage.documents import RunDocuments
from ledger.application.lineage.reader import LineageReader
from ledger.application.log import LedgerLog
from ledger.application.planning.commands import PlanCommands
from ledger.application.planning.fleet_reading import PlanSources
from ledger.application.planning.kept_plans import KeptPlans
from ledger.application.planning.operations import PlanOperations
from ledger.application.planning.plan_money import PlanMoney
from ledger.application.planning.plans import Planning
from ledger.application.planning.schedules import ScheduledPlans
from ledger.application.planning.shadow_plans import ShadowPlanning
from ledger.application.policies.compiled import PolicyCache
from ledger.application.policies.governance import PolicyGovernance
from ledger.application.policies.reviews import PolicyReviews
from ledger.application.policies.steps import PolicySteps
from ledger.application.recipes.benchmarks import BenchmarkModels
from ledger.application.recipes.shelf import Recipes
from ledger.clock import Clock
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


class LedgerApplication:
    """The use cases of one ledger. Safe between threads."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        recorder: AggregateRecorder,
        clock: Clock,
        *,
        attestation: AttestationOptions | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self.authority = Authority(store, info, clock)
        self.authority_changes = AuthorityChanges(store, info, self.authority, clock)
        policies = PolicyCache()
        self.info = info
        self.log = LedgerLog(store, info)
        self.histories = HistoryReader(store.events, info.origin, policies)
        self.fleet = Fleet(store.events, info.origin, on_erasure=policies.clear)
        self.budgets = Budgets(store, info, self.fleet)
        aggregates = Aggregates(recorder, Appender(store, info.origin))
        self.governance = PolicyGovernance(store, info, self.authority, clock)
        self.authority_changes.on_changed(self.governance.warn_of_unreachable)
        self.definitions = Definitions(
            store, info, self.fleet, aggregates, self.histories, self.governance, self.budgets.all
        )
        self.commands = FleetCommands(
            store, info, self.fleet, aggregates, self.histories, self.definitions, self.governance
        )
        self.policy_steps = PolicySteps(store, info, self.governance, self.commands.check_fit)
        self.reviews = PolicyReviews(store, info, self.governance)
        self.due_policies = DuePolicies(self.commands, self.policy_steps, self.governance)
        self.intake = ObservationIntake(store, info, self.fleet, clock)
        shadows = ShadowReader(store.events, info.origin, self.histories)
        shadow_planning = self._build_planning(store, info, shadows)
        self.plan_operations = PlanOperations(clock)
        self.replayer = Replayer(store.events, info.origin, self.histories, shadow_planning)
        self.decisions = Decisions(store, info, self.fleet, self.histories, self.replayer, clock)
        events, origin = store.events, info.origin
        self.grounds = GroundsReader(events, origin, self.histories, self.replayer, self.governance)
        self.chosen_policies = ChosenPolicies(self.fleet, self.histories, self.definitions)
        places = TrialPlaces()
        self.trials = Trials(store.events, info, self.histories, self.fleet, places)
        self.overrides = Overrides(store, info, self.decisions, self.authority, clock)
        self.cases = Cases(store, info)
        self.attestation = Attestation(store, info, clock, attestation or AttestationOptions())
        self._build_retraining(store, info)
        self.shadowing = Shadowing(store, info, self.commands, shadows)
        self.shadow_comparisons = ShadowComparisons(events, origin, self.histories, places)
        due = (self.due_policies.run, self.reviews.run_due, *self._work_due)
        self.governor = Governor(
            store, info, self.cases, self.histories, clock, self.shadowing, due
        )
        self.clocks = Clocks(store, info)
        self.drills = Drills(store, info)
        self.erasure = Erasure(store, info, self.governance.keeps_activations)
        self._forget_erased()

    def _build_planning(
        self, store: Store, info: LedgerInfo, shadows: ShadowReader
    ) -> ShadowPlanning:
        """Build what makes plans, and return what makes them again."""
        unit, budgets = info.unit_of_cost, self.budgets.as_of
        self._kept_plans = KeptPlans(self.histories.erasures)
        sources = PlanSources(
            store.events, info.origin, self.histories, budgets, unit, self._kept_plans
        )
        planning = ShadowPlanning(Planning(sources), shadows)
        self.plans = PlanCommands(
            store, info, self.fleet, self.histories, PlanMoney(sources), planning, self._clock
        )
        return planning

    def _forget_erased(self) -> None:
        """Have the parts that keep copies of bodies forget those that are erased."""
        self.erasure.on_erased(lambda position, _: self.fleet.refresh(position))
        self.erasure.on_erased(lambda *_: self.cases.forget())
        self.erasure.on_erased(lambda *_: self.budgets.forget())
        self.erasure.on_erased(lambda *_: self.put_backs.forget())
        self.erasure.on_erased(lambda *_: self._kept_plans.forget())

    def _build_retraining(self, store: Store, info: LedgerInfo) -> None:
        """Build what leads from a decision to a retrained model."""
        self.recipes = Recipes(store, info, self.authority)
        self.benchmarks = BenchmarkModels(store, info, self.fleet)
        self.job_reader = JobReader(store, info, self.fleet)
        self.jobs = JobCommands(
            store,
            info,
            self.authority,
            self.job_reader,
            self.budgets,
            self._clock,
            self.plans.work,
        )
        self.job_proposals = JobProposals(
            self.jobs,
            self.commands,
            self.histories,
            self.plans,
            self.recipes,
            self.budgets,
            self.benchmarks,
        )
        self.scheduled_plans = ScheduledPlans(
            store,
            info,
            self.fleet,
            self.histories,
            self.plans,
            self.recipes.expected,
        )
        scheduled_jobs = ScheduledJobs(
            store, info, self.scheduled_plans, self.plans, self.job_proposals, self.job_reader
        )
        self.due_jobs = DueJobs(store, info, self.jobs, self.job_reader, self.fleet)
        self._work_due = (self.due_jobs.run, self.scheduled_plans.run_due, scheduled_jobs.run_due)
        self.job_deployments = JobDeployments(self.jobs, self.commands, self.benchmarks)
        self.put_backs = PutBackReader(store, info, self.histories)
        self.roll_backs = RollBacks(store, info, self.commands, self.put_backs, self.job_reader)
        self.stated_deployments = StatedDeployments(
            self.commands,
            GatedModels(store, info, self.histories),
            self.authority,
            self.put_backs,
            self.job_reader,
            self._clock,
        )
        self.lineages = LineageReader(store, info, self.grounds)
        proving = self.attestation
        self.run_documents = RunDocuments(info, proving.checkpoints, proving.keyring)

    def evaluator(self) -> Evaluator:
        """Return a fresh evaluator that follows from the present head on."""
        position = self.log.head().position
        return Evaluator(self._store, self.info, self.histories, self._clock, position)

    def stop(self) -> None:
        """End what is done by itself: the governor's turns, and plans in the making."""
        self.plan_operations.stop()
        self.governor.stop()
