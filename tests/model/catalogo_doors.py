"""Two ways to a catalog: its use cases over fakes, and a process on PostgreSQL that may be killed."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import NamedTuple, Protocol

from google.protobuf.message import Message

from catalogo.servicer import ERRORS, SERVICE, CatalogoServicer
from catalogo.use_cases import Catalogo
from catalogo.vitrine.window import VitrineEmMemoria
from chassis.paging import PageTokens
from tests.fakes.catalogo import Armazem, FakeAlteracoes, FakeEstoque, FakeProdutos
from tests.integration.test_catalogo.conftest import Database
from tests.integration.test_catalogo.test_service import Process, environment
from tests.model.answers import Answer, Door, GrpcDoor, LocalDoor, channel_to
from tests.model.explaining import Call
from tests.model.models.catalogo import Saldo

PATIENCE = 30.0  # seconds that something may take which happens by itself


class Retrato(NamedTuple):
    """What the database says of some products and reservations, all at one moment."""

    saldos: dict[int, Saldo]
    reservas: dict[str, str]
    razao: Counter[tuple[int, str, int]]


class Porta(Door, Protocol):
    mostra_logo: bool  # whether a read of the window shows what was answered before, without a moment's wait
    pode_calar: bool  # whether a call may stay without an answer

    def retrato(self, categorias: Collection[int], reservas: Collection[str]) -> Retrato: ...

    def agora(self) -> datetime:
        """The clock that reservations expire by."""
        ...

    def passar(self, segundos: int, reservas: Collection[str]) -> timedelta:
        """Lets time pass; by how much the moment of expiry of these reservations was moved to do so."""
        ...

    async def varrer(self, reservas: Collection[str]) -> None:
        """Returns when the stock of reservations whose time is over has come back."""
        ...


class PortaLocal(LocalDoor):
    """Every example has a catalog of its own."""

    mostra_logo, pode_calar = True, False

    def __init__(self) -> None:
        self._armazem = Armazem()
        vitrine = VitrineEmMemoria(FakeAlteracoes(self._armazem))
        self._vitrine = vitrine
        self._catalogo = Catalogo(FakeProdutos(self._armazem), FakeEstoque(self._armazem), vitrine)
        super().__init__(CatalogoServicer(self._catalogo, vitrine, PageTokens(bytes(32))), SERVICE, ERRORS)

    async def abrir(self) -> None:
        await self._vitrine.atualizar()

    async def call(self, rpc: str, request: Message) -> Answer:
        self._armazem.advance(1e-6)  # no two moments of a real clock are one
        return await super().call(rpc, request)

    def retrato(self, categorias: Collection[int], reservas: Collection[str]) -> Retrato:  # noqa: ARG002
        armazem = self._armazem
        colunas = ("reposto", "disponivel", "reservado", "vendido", "baixado")
        saldos = {}
        for produto_id, produto in armazem.produtos.items():
            linhas = [linha for linha in armazem.movimentos if linha.produto_id == produto_id]
            saldo = Saldo(linhas[0].quantidade, *(sum(getattr(linha, nome) for linha in linhas) for nome in colunas))
            assert produto.estoque == saldo.disponivel, "the product's row tells another story than the ledger"
            assert produto.categoria.categoria_id in categorias
            saldos[produto_id] = saldo
        razao = Counter((linha.produto_id, linha.operacao.value, linha.quantidade) for linha in armazem.movimentos)
        return Retrato(saldos, {str(key): reserva.status.value for key, reserva in armazem.reservas.items()}, razao)

    def agora(self) -> datetime:
        return self._armazem.agora

    def passar(self, segundos: int, reservas: Collection[str]) -> timedelta:  # noqa: ARG002
        self._armazem.advance(segundos)
        return timedelta()

    async def varrer(self, reservas: Collection[str]) -> None:  # noqa: ARG002
        await self._catalogo.expirar_reservas("varredura")


class PortaGrpc:
    """All examples share a database: each looks only at what is its own."""

    mostra_logo, pode_calar = True, False

    def __init__(self, database: Database, door: GrpcDoor) -> None:
        self._door = door
        self._database = database
        self._sql = database.connect()
        self._sql.set_session(isolation_level="REPEATABLE READ", readonly=True)

    def close(self) -> None:
        self._sql.close()

    async def call(self, rpc: str, request: Message) -> Answer:
        return await self._door.call(rpc, request)

    def retrato(self, categorias: Collection[int], reservas: Collection[str]) -> Retrato:
        with self._sql, self._sql.cursor() as cursor:
            cursor.execute(
                "SELECT produto_id, inicial, reposto, disponivel, reservado, vendido, baixado FROM produtos"
                " WHERE categoria_id = ANY(%s)",
                [list(categorias)],
            )
            saldos = {row[0]: Saldo(*row[1:]) for row in cursor.fetchall()}
            cursor.execute(
                "SELECT reserva_id::text, status FROM reservas WHERE reserva_id = ANY(%s::uuid[])", [list(reservas)]
            )
            status = dict(cursor.fetchall())
            cursor.execute(
                "SELECT produto_id, operacao, quantidade FROM movimentos_estoque WHERE produto_id = ANY(%s)",
                [list(saldos)],
            )
            razao = Counter((row[0], row[1], row[2]) for row in cursor.fetchall())
            cursor.execute("SELECT * FROM auditoria_estoque")
            assert cursor.fetchall() == [], "columns, ledger and reservations tell different stories"
        return Retrato(saldos, status, razao)

    def agora(self) -> datetime:
        return datetime.now(UTC)  # of this machine, as PostgreSQL's

    def passar(self, segundos: int, reservas: Collection[str]) -> timedelta:
        with self._database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # the steps of a reservation are guarded
            cursor.execute(
                "UPDATE reservas SET expira_em = expira_em - make_interval(secs => %s)"
                " WHERE reserva_id = ANY(%s::uuid[])",
                [segundos, list(reservas)],
            )
        connection.close()
        return timedelta(seconds=segundos)

    async def varrer(self, reservas: Collection[str]) -> None:
        async with asyncio.timeout(PATIENCE):
            while self._vencidas(reservas):  # noqa: ASYNC110  what changes is in another process
                await asyncio.sleep(0.02)

    def _vencidas(self, reservas: Collection[str]) -> bool:
        with self._sql, self._sql.cursor() as cursor:
            cursor.execute(
                "SELECT FROM reservas WHERE status = 'ATIVA' AND expira_em <= clock_timestamp()"
                " AND reserva_id = ANY(%s::uuid[])",
                [list(reservas)],
            )
            return cursor.fetchone() is not None


class Instancia:
    """A process that may be killed and started again, and a door to it."""

    def __init__(self, database: Database, name: str, folder: Path) -> None:
        self.name = name
        self._environment = environment(database, name)
        self._log = folder / f"{name}.log"

    async def start(self) -> None:
        self._process = Process(self._environment, self._log)
        async with asyncio.timeout(PATIENCE):
            while not self._process.serving(""):  # noqa: ASYNC110  what changes is in another process
                await asyncio.sleep(0.02)
        self._channel = await channel_to(self._process.target)  # a new one need not wait to try again
        self.door = GrpcDoor(self._channel, SERVICE)

    def kill(self) -> None:
        self._process.popen.kill()
        self._process.popen.wait()

    async def leave(self) -> None:
        """Lets go of a process that was killed."""
        self._process.channel.close()
        await self._channel.close()


class PortaMortal(PortaGrpc):
    """Two processes on one database, which take turns to be asked, and may be killed."""

    mostra_logo, pode_calar = False, True

    def __init__(self, database: Database, instancias: Sequence[Instancia]) -> None:
        super().__init__(database, instancias[0].door)
        self._instancias = instancias
        self._vez = cycle(instancias)

    async def call(self, rpc: str, request: Message) -> Answer:
        return await next(self._vez).door.call(rpc, request)

    async def morre(self, calls: Sequence[Call], qual: int, milissegundos: int) -> list[Answer]:
        """Asks all at once and kills one of the two a moment later; it serves again when this returns."""
        instancia = self._instancias[qual]
        asked = [asyncio.create_task(self.call(*call)) for call in calls]
        await asyncio.sleep(milissegundos / 1000)  # the moment is the point
        instancia.kill()
        told = await asyncio.gather(*asked)
        await instancia.leave()
        await self._silencio(instancia.name)
        await instancia.start()
        return told

    async def _silencio(self, name: str) -> None:
        """Returns when the database has done with what the dead process had asked for."""
        async with asyncio.timeout(PATIENCE):
            while self._database.query(BACKENDS, f"{name}%"):  # noqa: ASYNC110  as above
                await asyncio.sleep(0.02)


BACKENDS = "SELECT FROM pg_stat_activity WHERE application_name LIKE %s"
