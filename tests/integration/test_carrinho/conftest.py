"""A Valkey that tests may stop and kill, with the settings of the shop: its append-only file, `always`."""

import asyncio
import itertools
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
import redis

from carrinho.domain import Oferta, Produto
from carrinho.repository import CarrinhosValkey
from carrinho.repository.valkey import Valkey
from stack.topology import HOST, Address
from stack.valkey import part
from tests.conftest import free_port

T = TypeVar("T")
_names = itertools.count(1)


async def until(condition: Callable[[], Awaitable[T]], seconds: float = 5) -> T:
    """Asks again and again until the answer is true; TimeoutError when it never is."""
    async with asyncio.timeout(seconds):
        while not (answer := await condition()):  # noqa: ASYNC110  what changes is in another process
            await asyncio.sleep(0.02)
    return answer


def oferta(produto_id: int, preco_centavos: int = 1_000, *, estoque: int = 1_000_000, conferido: bool = True) -> Oferta:
    return Oferta(Produto(produto_id, f"Pão de queijo nº {produto_id}", preco_centavos, estoque, ativo=True), conferido)


class Servidor:
    """One valkey-server; stopped when the test ends, whatever happened to it."""

    def __init__(self, folder: Path) -> None:
        self.address = Address(HOST, free_port())
        self.url = f"redis://{self.address}/0"
        self._part = part("valkey", folder / "valkey", self.address, folder / "valkey.log")

    def start(self) -> None:
        with self._part.log.open("ab") as log:
            self._process = subprocess.Popen(self._part.argv, stdout=log, stderr=log, env=dict(self._part.environment))
        deadline = time.monotonic() + 10
        while True:
            with suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
                client.ping()
                return
            assert time.monotonic() < deadline, self._part.log.read_text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def servidor(tmp_path: Path) -> Iterator[Servidor]:
    servidor = Servidor(tmp_path)
    servidor.start()
    yield servidor
    servidor.kill()


@pytest.fixture
async def novo_valkey() -> AsyncIterator[Callable[[str], Valkey]]:
    """Makes connections under names of their own, and closes them."""
    made: list[Valkey] = []

    def make(url: str) -> Valkey:
        made.append(Valkey(url, name=f"teste {next(_names)}"))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
def novos_carrinhos(novo_valkey: Callable[[str], Valkey]) -> Callable[[str], CarrinhosValkey]:
    """Repositories as separate processes would have them."""
    return lambda url: CarrinhosValkey(novo_valkey(url))
