"""Deployments: which flow runs on which recipe when, and how to tell a Prefect server so.

A deployment made here runs in a process that a worker starts (`prefect worker start --pool waon-build`), in the
folder it was made in, so that a relative `corpus` is the same as by hand. `prefect.yaml` says the same of a checkout.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
    StateType,
    VersionInfo,
    WorkPoolStatus,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.schedules import Cron
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, get_current_settings
from prefect.settings.context import temporary_settings
from prefect.types.entrypoint import EntrypointType

from waon_build import __version__
from waon_build.records import InputError, in_a_line

POOL = "waon-build"
TAG = "waon-build"
"""On every deployment of ours: how they are told from others on the same server."""
ENVIRONMENT = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
"""Of every run: Prefect is imported before `flows` is, which says the same."""
ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
"""A run that is due while the one before goes on waits for its end."""

_PATIENCE = httpx.Timeout(30.0, connect=5.0)
_HOW_TO_START = (
    "start one (`prefect server start`) and say where it is (`export PREFECT_API_URL=http://127.0.0.1:4200/api`)"
)


class Usual(NamedTuple):
    """When a flow usually runs, and what it does, in a sentence."""

    cron: str
    what: str


FLOWS = {
    "ingest": Usual("0 1 * * 0", "Takes in what is new in the sources, up to the annotation queue."),
    "route": Usual("0 6 * * *", "Decides what the answers decide, and brings the queue in line with the corpus."),
    "export": Usual("0 5 * * 1", "Writes what natives accepted so far as a release."),
    "audit": Usual("0 8 * * 1", "Writes the weekly report, and audits the annotation."),
    "refresh": Usual("0 1 * * 3", "Asks again whether pictures may still be used, and are still there."),
}
"""Flow -> when and what."""


@dataclass(frozen=True)
class Deployed:
    """A deployment as it stands. name: `FLOW/NAME`, as Prefect has it. cron: "" when it runs by hand alone, or by
    another kind of schedule, which is in `schedule` then. next_run, last_run: ISO 8601, in the schedule's time zone, ""
    when there is none. last_state: Prefect's word. has_worker: one is at work for its pool."""

    name: str
    flow: str
    recipe: str
    cron: str
    timezone: str
    schedule: str
    paused: bool
    next_run: str
    last_run: str
    last_state: str
    pool: str
    has_worker: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def server() -> Iterator[SyncPrefectClient]:
    """The Prefect server that PREFECT_API_URL names, for the length of a `with`. Raises InputError when there is none,
    at once, or when it refuses."""
    url = get_current_settings().api.url
    if not url:
        raise InputError(f"PREFECT_API_URL is not set: schedules live in a Prefect server: {_HOW_TO_START}")
    try:
        with get_client(sync_client=True, httpx_settings={"timeout": _PATIENCE}) as client:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                _greet(client)
            yield client
    except PrefectHTTPStatusError as error:
        status = error.response.status_code
        way_out = {401: "set PREFECT_API_AUTH_STRING", 404: "its address ends in /api"}.get(status, "see its log")
        raise InputError(f"{url}: the Prefect server answers {status}: {way_out}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(f"{url}: no Prefect server answers ({in_a_line(error)}): {_HOW_TO_START}") from error


def _greet(client: SyncPrefectClient) -> None:
    try:
        client.hello().json()
    except ValueError as error:  # a web page, as without the `/api`
        raise httpx.DecodingError("what is there is none") from error


def deploy(
    client: SyncPrefectClient,
    flow: str,
    name: str,
    recipe: Path,
    overrides: Mapping[str, Any],
    cron: str,
    timezone: str,
    pool: str = POOL,
    paused: bool | None = None,
) -> bool:
    """Create the deployment `FLOW/NAME`, or bring it up to date; returns whether it is new. recipe: checked by the
    caller. overrides: dotted field -> value. paused: None leaves it as it is. Raises InputError for a bad schedule."""
    next_run(cron, timezone)
    before = _find(client, f"{flow}/{name}")
    is_process = _pool_type(client, pool) == "process"
    made = RunnerDeployment.from_flow(
        load(flow),
        name,
        schedule=Cron(cron, timezone=timezone),
        paused=before.paused if before and paused is None else bool(paused),
        parameters=parameters(flow, recipe, overrides, timezone),
        description=FLOWS[flow].what,
        tags=[TAG, flow],
        concurrency_limit=ONE_AT_A_TIME,
        work_pool_name=pool,
        # Elsewhere than in a process of this machine, the folder is for the pool to say.
        job_variables={"env": ENVIRONMENT, **({"working_dir": str(Path.cwd())} if is_process else {})},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    try:
        made.apply(version_info=VersionInfo(type="prefect:simple", version=__version__))
    except DeploymentApplyError as error:
        problem = f"the Prefect server does not take it ({in_a_line(error)})"
        raise InputError(f"{flow}/{name}: {problem}: look at the work pool {pool}, or give --pool another") from error
    return before is None


def parameters(flow: str, recipe: Path, overrides: Mapping[str, Any], timezone: str) -> dict[str, Any]:
    """What a flow is run with. A report is of the day that it is where its schedule is."""
    found: dict[str, Any] = {"recipe": str(recipe.absolute())}
    if overrides:
        found["overrides"] = dict(overrides)
    if flow == "audit":
        found["timezone"] = timezone
    return found


def load(flow: str) -> Flow[..., Any]:
    """The flow of a name of FLOWS."""
    found: Flow[..., Any] = getattr(importlib.import_module(f"flows.{flow}"), flow)
    return found


def deployments(client: SyncPrefectClient) -> list[Deployed]:
    """All deployments of ours, by name."""
    return sorted((_deployed(client, one) for one in _ours(client)), key=lambda one: one.name)


def deployed(client: SyncPrefectClient, name: str) -> Deployed:
    """The deployment `FLOW/NAME` as it stands."""
    return _deployed(client, client.read_deployment_by_name(name))


def find(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    """The deployment of ours that is called `FLOW/NAME` or `NAME`. Raises InputError when none is, or several are."""
    there = {full_name(one): one for one in _ours(client)}
    if name in there:
        return there[name]
    called = sorted(full for full in there if full.partition("/")[2] == name)
    if len(called) == 1:
        return there[called[0]]
    if called:
        raise InputError(f"{name}: several schedules are called so: say which, e.g. {called[0]}")
    raise InputError(f"{name}: there is no such schedule: `waon-build schedule list` shows those there are")


def full_name(deployment: DeploymentResponse) -> str:
    """`FLOW/NAME`."""
    return f"{_flow_of(deployment)}/{deployment.name}"


def next_run(cron: str, timezone: str) -> datetime:
    """When a schedule is due next, in a time zone that there is. Raises InputError when it is none, or never comes."""
    from prefect.server.schemas.schedules import CronSchedule as Calendar  # half a second

    try:
        schedule = Calendar(cron=cron, timezone=timezone)
    except ValueError as error:
        raise InputError(
            f'--cron "{cron}": is not a cron expression: give minute, hour, day, month and weekday, e.g. "0 3 * * 1"'
        ) from error
    try:
        (due,) = asyncio.run(schedule.get_dates(1))
    except ValueError as error:
        raise InputError(f'--cron "{cron}": never comes: give a day that there is, e.g. "0 3 * * 1"') from error
    return datetime.fromisoformat(due.isoformat())


def _ours(client: SyncPrefectClient) -> list[DeploymentResponse]:
    found: list[DeploymentResponse] = []
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    while page := client.read_deployments(deployment_filter=tagged, limit=200, offset=len(found)):
        found += page
    return found


def _deployed(client: SyncPrefectClient, deployment: DeploymentResponse) -> Deployed:
    schedules = [one.schedule for one in deployment.schedules if one.active]
    crons = [one for one in schedules if isinstance(one, CronSchedule)]
    zone = (crons[0].timezone if crons else None) or "UTC"
    runs = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    return Deployed(
        name=full_name(deployment),
        flow=_flow_of(deployment),
        recipe=str(deployment.parameters.get("recipe", "")),
        cron=", ".join(one.cron for one in crons),
        timezone=zone,
        schedule="" if len(crons) == len(schedules) else ", ".join(map(str, schedules)),
        paused=deployment.paused,
        next_run="" if deployment.paused or not crons else _text(next_run(crons[0].cron, zone), zone),
        **_last_run(client, runs, zone),
        pool=deployment.work_pool_name or "",
        has_worker=_has_worker(client, deployment.work_pool_name),
    )


def _last_run(client: SyncPrefectClient, runs: DeploymentFilter, zone: str) -> dict[str, str]:
    """The run that began last, or could not begin."""
    happened = FlowRunFilterStateType(not_any_=[StateType.SCHEDULED, StateType.PENDING])
    found = client.read_flow_runs(
        deployment_filter=runs,
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=happened)),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=1,
    )
    if not found:
        return {"last_run": "", "last_state": ""}
    began = found[0].start_time or found[0].expected_start_time
    return {"last_run": _text(began, zone), "last_state": found[0].state_name or ""}


def _find(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _pool_type(client: SyncPrefectClient, pool: str) -> str:
    """The type of a work pool, which is made when it is not there: of processes."""
    try:
        return client.read_work_pool(pool).type
    except ObjectNotFound:
        return client.create_work_pool(WorkPoolCreate(name=pool, type="process")).type


def _has_worker(client: SyncPrefectClient, pool: str | None) -> bool:
    return pool is not None and client.read_work_pool(pool).status == WorkPoolStatus.READY


def _flow_of(deployment: DeploymentResponse) -> str:
    """The flow's name, as its entrypoint `flows.NAME.NAME` ends in."""
    return (deployment.entrypoint or "").rpartition(".")[2]


def _text(moment: datetime | None, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds") if moment else ""
