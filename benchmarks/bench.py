"""What every measurement is handed: the running service, the floors' server, the plan, and whom to tell."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from .floors.http import HttpFloor
from .load import LoadResult, Request, run_load
from .plan import Plan
from .processes import RoleProcesses
from .profiles import profiled_roles
from .result import Latency, MeasurementFailed, median, spread
from .service import Service

WORKERS = ("publisher", "projector", "dispatcher")


class Bench(msgspec.Struct, frozen=True):
    """One run."""

    service: Service
    http_floor: HttpFloor
    plan: Plan
    say: Callable[[str], None]
    profile_dir: Path | None = None
    """Where profiles of the processes go; None: none are made."""

    def rounds(self, request: Request, connections: int) -> "HttpRounds":
        """Rounds of the service."""
        ready = self.service.ready
        return HttpRounds(ready.host, ready.port, request, connections, self.service.processes)

    def floor_rounds(self, request: Request, connections: int) -> "HttpRounds":
        """Rounds of the bare HTTP floor."""
        floor = self.http_floor
        return HttpRounds(floor.host, floor.port, request, connections, floor.processes)

    def profiling(self, name: str, roles: tuple[str, ...], seconds: float) -> profiled_roles:
        """Profiles `roles` for about `seconds` while the context is entered, where profiles are wanted."""
        return profiled_roles(self.profile_dir, name, self.service.processes, roles, seconds)


class HttpRounds(msgspec.Struct):
    """The rounds of one HTTP server under a load, and the CPU time that its processes took for them."""

    host: str
    port: int
    request: Request
    connections: int
    processes: RoleProcesses
    results: list[LoadResult] = []
    cpu_s: dict[str, float] = {}

    async def round(self, seconds: float, *, counts: bool = True) -> LoadResult:
        """One more round. Raises MeasurementFailed where a request failed: that is no measurement."""
        before = self.processes.cpu_s()
        result = await run_load(
            self.host, self.port, self.request, connections=self.connections, seconds=seconds
        )
        if result.failures or not result.answers:
            why = f"{result.failures} of {result.answers} requests failed, the last with {result.last_failure[:300]!r}"
            raise MeasurementFailed(why)
        if counts:
            self.results.append(result)
            for role, cpu_s in self.processes.cpu_s().items():
                self.cpu_s[role] = self.cpu_s.get(role, 0.0) + cpu_s - before[role]
        return result

    @property
    def per_second(self) -> float:
        """Median of the rounds."""
        return median([result.per_second for result in self.results])

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, by their median."""
        return round(spread([result.per_second for result in self.results]), 3)

    @property
    def latency(self) -> Latency:
        """Over all rounds."""
        latencies_s = [latency_s for result in self.results for latency_s in result.latencies_s]
        everything = LoadResult(1, 0, 0, latencies_s)
        return Latency(round(everything.percentile_ms(0.5), 3), round(everything.percentile_ms(0.99), 3))

    def cpu_us(self, per_request: int = 1) -> dict[str, float]:
        """Microseconds of CPU for each request (or message of a request): steadier than rates on a busy machine."""
        answers = sum(result.answers for result in self.results) * per_request
        return {role: round(cpu_s / answers * 1e6, 1) for role, cpu_s in self.cpu_s.items() if cpu_s}
