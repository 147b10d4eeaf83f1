"""`python -m stack.supervisor HOME OFFSET OWNER`: the process that owns every other process of a mesh.

OWNER is the descriptor of a socket to whoever started us. Everything that happens is told there; when it closes before
its other end has said `detach`, the mesh stops: one in the foreground ends with its terminal, however that ends.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from stack import control, recovery, state
from stack.child import PartFailed
from stack.commands import CommandFailed
from stack.control import Message, Tell
from stack.home import Home, HomeError
from stack.mesh import Mesh
from stack.ports import PortTaken
from stack.processes import identify
from stack.report import report

TAIL = 15  # lines of a log that tell why a part did not start
Foreseen = (HomeError, PortTaken, PartFailed, CommandFailed, recovery.Survivor)


class Supervisor:
    def __init__(self, home: Home, owner: socket.socket) -> None:
        self._home, self._owner = home, owner
        self._socket = control.make_socket_path()
        self._mesh = Mesh(home, self._tell, self._save)
        self._end, self._ended = asyncio.Event(), asyncio.Event()
        self._listeners: list[Tell] = []
        self._stopping = False

    async def run(self) -> int:
        """Until told to stop, or until the start fails; gives the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end.set)
        watch = asyncio.create_task(self._watch_owner())
        server = await control.listen(self._socket, self._handle)
        self._save()
        code = await self._live()
        self._stopping = True
        await self._mesh.stop()
        self._tell({"event": "stopped"})
        self._home.state.unlink(missing_ok=True)
        self._ended.set()
        server.close()
        await asyncio.sleep(0)  # those who asked for the end hear of it
        watch.cancel()
        control.remove_socket(self._socket)
        return code

    async def _live(self) -> int:
        begun = time.monotonic()
        start, end = asyncio.create_task(self._mesh.start()), asyncio.create_task(self._end.wait())
        await asyncio.wait([start, end], return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
            await asyncio.wait([start])
            return 0
        if failure := start.exception():
            self._tell({"event": "failed"} | self._explain(failure))
            return 1
        seconds = round(time.monotonic() - begun, 2)
        self._tell({"event": "ready", "edge": self._mesh.topology.edge_url, "seconds": seconds})
        await end
        return 0

    def _explain(self, failure: BaseException) -> Message:
        """The reason in one line, and the end of the log of whoever failed."""
        if not isinstance(failure, Foreseen):
            traceback.print_exception(failure)  # into the supervisor's own log
            return {"reason": f"{type(failure).__name__}: {failure}", "log": str(self._home.log("stack"))}
        if isinstance(failure, CommandFailed):
            return {"reason": str(failure), "tail": failure.output.splitlines()[-TAIL:]}
        if isinstance(failure, PartFailed):
            log = self._home.log(failure.name)
            return {"reason": str(failure), "log": str(log), "tail": _tail(log)}
        return {"reason": str(failure)}

    # --- those who listen and ask -----------------------------------------------------------------------------------

    def _tell(self, message: Message) -> None:
        for tell in list(self._listeners):
            tell(message)

    async def _watch_owner(self) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=self._owner)
        self._listeners.append(lambda message: control.write(writer, message))
        detached = False
        try:
            while line := await reader.readline():
                detached = json.loads(line) == {"op": "detach"}
        except ConnectionError:
            pass  # gone all the same
        if not detached:
            self._end.set()

    async def _handle(self, request: Message, tell: Tell) -> Message:
        match request:
            case {"op": "ping"}:
                return {"ok": True, "stopping": self._stopping}
            case {"op": "status"}:
                return {"ok": True} | await report(self._mesh)
            case {"op": "scale", "counts": dict(counts)}:
                return await self._scale(counts, tell)
            case {"op": "stop"}:
                self._listeners.append(tell)
                self._end.set()
                await self._ended.wait()
                return {"ok": True}
        return {"ok": False, "reason": f"the supervisor does not know {request.get('op')!r}"}

    async def _scale(self, counts: dict[str, int], tell: Tell) -> Message:
        if not self._mesh.started:
            return {"ok": False, "reason": "the mesh is still starting"}
        self._listeners.append(tell)
        try:
            await self._mesh.scale(counts)
        except Foreseen as failure:
            return {"ok": False} | self._explain(failure)
        finally:
            self._listeners.remove(tell)
        return {"ok": True}

    def _save(self) -> None:
        me = identify(os.getpid())
        assert me is not None
        try:
            state.save(self._home, state.State(me, self._socket, self._mesh.identities()))
        except OSError as error:  # a full disk must not stop us from starting dead parts again
            print(f"state not saved: {error}", file=sys.stderr)  # noqa: T201  into our own log


def _tail(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()[-TAIL:]
    except OSError:
        return []


def main(path: str, offset: str, descriptor: str) -> int:
    owner = socket.socket(fileno=int(descriptor))
    home = Home(Path(path), int(offset))
    try:
        home.prepare()
        with home.lock():
            recovery.clear_up(home)
            return asyncio.run(_supervise(home, owner))
    except (*Foreseen, OSError) as failure:
        owner.setblocking(True)
        owner.sendall(control.encode({"event": "failed", "reason": str(failure)}))
        return 1


async def _supervise(home: Home, owner: socket.socket) -> int:
    return await Supervisor(home, owner).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
