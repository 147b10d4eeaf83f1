"""The whole mesh as the supervisor runs it: what starts after what, what stops before what, how many of each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from stack import credentials, proxy, valkey
from stack.child import POLL, Child, PartFailed
from stack.commands import CommandFailed, run
from stack.databases import DATABASES, fingerprint
from stack.home import Home
from stack.parts import Part
from stack.ports import Claims, wanted
from stack.postgres import Cluster
from stack.probes import http_ok
from stack.processes import Identity
from stack.services import Services
from stack.topology import MAX_INSTANCES, SERVICES, Address, Topology, topology

START_SECONDS = 90.0  # for any one part; a machine under heavy load has taken forty
Tell = Callable[[dict[str, Any]], None]


class Mesh:
    """`tell` hears of every step; `changed` is called when a pid has changed."""

    def __init__(self, home: Home, tell: Tell, changed: Callable[[], None] = lambda: None) -> None:
        self.home = home
        self.children: dict[str, Child] = {}
        self.started = False
        self._tell, self._changed = tell, changed
        self._counts = home.counts()
        self._claims = Claims()
        self._scaling = asyncio.Lock()
        self._stopping = False

    @property
    def topology(self) -> Topology:
        return topology(self.home.offset, self._counts, self.home.path)

    def identities(self) -> Mapping[str, Identity]:
        return {name: child.identity for name, child in self.children.items() if child.identity}

    # --- start ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns when the edge answers for every service. Raises PortTaken, HomeError, PartFailed, CommandFailed."""
        await self._claim(wanted(self.topology))
        self._claims.reserve(
            wanted(topology(self.home.offset, dict.fromkeys(SERVICES, MAX_INSTANCES), self.home.path)).values()
        )
        has_data = any((self.home.part(name) / "data").exists() for name in DATABASES.values())
        secrets = credentials.load(self.home, has_data=has_data)
        self._services = Services(self.home, secrets)
        self._clusters = {
            name: Cluster(name, self.home.part(name), self.topology.ports.postgres(name), secrets["postgres"])
            for name in DATABASES.values()
        }
        async with _together() as group:
            self._start_all(group)
        await self._edge_answers()
        self.started = True

    async def _claim(self, ports: Mapping[str, Address]) -> None:
        passing = self._claims.take(ports)
        if passing:
            numbers = ", ".join(str(address.port) for address in passing.values())
            async with self._step(f"port {numbers}, held by a passing connection for up to a minute"):
                await self._claims.wait(passing)

    def _start_all(self, group: asyncio.TaskGroup) -> None:
        """Everything at once, except what needs another part first."""
        spawn = group.create_task
        spawn(self._envoy())
        stores = {"valkey": spawn(self._valkey()), **{name: spawn(self._database(name)) for name in DATABASES}}
        needs = {"catalogo": ["catalogo"], "carrinho": ["valkey"], "pedidos": ["pedidos", "valkey"], "gateway": []}
        for service, number in self._wanted_instances():
            spawn(self._instance(service, number, after=[stores[need] for need in needs[service]]))

    def _wanted_instances(self) -> Iterable[tuple[str, int]]:
        return [(service, n) for service, count in self._counts.items() for n in range(1, count + 1)]

    async def _envoy(self) -> None:
        async with self._step("envoy"):
            command = await proxy.render(self.topology)
            await self._up(proxy.part(self.home, self.topology, command))

    async def _valkey(self) -> None:
        async with self._step("valkey"):
            folder, address = self.home.part("valkey"), self.topology.ports.valkey
            await self._up(valkey.part("valkey", folder, address, self.home.log("valkey")))

    async def _database(self, service: str) -> None:
        """The server, then roles, database, schema and seed of one service."""
        cluster = self._clusters[DATABASES[service]]
        async with self._step(cluster.name):
            await cluster.prepare()
            await self._up(cluster.part(self.home.log(cluster.name)))
        async with self._step(f"schema of {service}"):
            await self._migrate(service, cluster)

    async def _migrate(self, service: str, cluster: Cluster) -> None:
        database, wanted_schema = self._services.database(service), fingerprint(service)
        if await cluster.sql(database.is_marked(wanted_schema)) == "t":
            return
        await cluster.sql(database.creation())
        argv, environment = database.migration()
        name = f"migrate-{service}"
        try:
            output = await run(name, argv, environment=environment)
        except CommandFailed as failure:
            self.home.log(name).write_text(failure.output)
            raise
        self.home.log(name).write_text(output)
        await cluster.sql(database.mark(wanted_schema))

    async def _instance(self, service: str, number: int, after: Iterable[asyncio.Task[None]] = ()) -> None:
        for task in after:
            await asyncio.shield(task)
        part = self._services.part(service, number)
        async with self._step(part.name):
            await self._up(part)

    async def _up(self, part: Part) -> None:
        if self._stopping:
            raise PartFailed(part.name, "is not started: the mesh is stopping")
        child = self.children[part.name] = Child(part, self._changed)
        await child.start()
        await child.serving(START_SECONDS)

    async def _edge_answers(self) -> None:
        """What a customer sees: Envoy has found every service healthy, and so has the gateway."""
        async with self._step("edge"):
            health, deadline = http_ok(self.topology.ports.edge, "/health"), time.monotonic() + START_SECONDS
            while why := await health():
                if time.monotonic() > deadline:
                    raise PartFailed("envoy", f"does not serve the edge after {START_SECONDS:.0f} s: {why}")
                await asyncio.sleep(POLL)

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[None]:
        begun = time.monotonic()
        self._tell({"event": "step", "name": name, "state": "begun"})
        yield
        self._tell({"event": "step", "name": name, "state": "done", "seconds": round(time.monotonic() - begun, 2)})

    # --- stop -----------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Callers before those they call, then the stores; Envoy carries them until the last has drained."""
        self._stopping = True
        waves = (("gateway", "carrinho", "pedidos"), ("catalogo",), ("envoy",), ("valkey", "postgres"))
        for wave in waves:
            leaving = [child for child in self.children.values() if child.part.kind in wave]
            await asyncio.gather(*(self._leave(child) for child in leaving))
        self._claims.release()

    async def _leave(self, child: Child) -> None:
        self._tell({"event": "stop", "name": child.part.name, "state": "begun"})
        await child.stop()
        self._tell({"event": "stop", "name": child.part.name, "state": "done"})

    # --- scale ----------------------------------------------------------------------------------------------------

    async def scale(self, asked: Mapping[str, int]) -> None:
        """Gives each named service that many instances, also at later starts. Raises as `start` does.

        New ones serve before Envoy hears of them; those that leave are taken from Envoy before they refuse a call.
        """
        async with self._scaling:
            before, after = self._counts, {**self._counts, **asked}
            old, new = wanted(self.topology), wanted(topology(self.home.offset, after, self.home.path))
            await self._claim({name: address for name, address in new.items() if name not in old})
            added = [(s, n) for s in asked for n in range(before[s] + 1, after[s] + 1)]
            try:
                async with _together() as group:
                    for service, number in added:
                        group.create_task(self._instance(service, number))
            except PartFailed:
                await self._drop(added)
                raise
            self._counts = after
            self.home.keep_counts(after)
            self._write_endpoints()
            await self._drop([(s, n) for s in asked for n in range(after[s] + 1, before[s] + 1)])

    def _write_endpoints(self) -> None:
        from stack.endpoints import FOLDER, write_endpoints  # only when somebody scales

        write_endpoints(self.topology, self.topology.envoy_folder / FOLDER)

    async def _drop(self, instances: Iterable[tuple[str, int]]) -> None:
        names = [f"{service}-{number}" for service, number in instances]
        leaving = [self.children.pop(name) for name in names if name in self.children]
        await asyncio.gather(*(self._leave(child) for child in leaving))
        self._changed()


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises one failure as itself: of several at a moment the others are mostly its consequences."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    found = failures.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
