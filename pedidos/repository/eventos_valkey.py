"""The stream `pedidos.eventos` in Valkey; docs/eventos.md says what others find in it."""

import re
from collections.abc import Sequence
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from pedidos.domain import Evento, ServicoIndisponivel

STREAM = "pedidos.eventos"
CONNECT_TIMEOUT = 0.25  # seconds for the TCP connection
TIMEOUT = 1.0  # seconds without an answer after which Valkey counts as gone
PAGINA = 1000  # events read at once, half a megabyte

# One command, so that a batch is appended whole or not at all: were the first of an order's events refused for lack of
# memory and the second taken a moment later, a reader would see them out of order.
PUBLICAR = """
for i = 2, #ARGV, 4 do
  redis.call('XADD', KEYS[1], '*', 'evento_id', ARGV[i], 'tipo', ARGV[i + 1], 'corpo', ARGV[i + 2],
             'ocorrido_em', ARGV[i + 3])
end
return redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
"""


class JornalValkey:
    """Writes from a thread, reads from the event loop, each on a connection of its own. Never repeats a command.

    `tamanho`: the events that the stream keeps; a batch and a hundred more may stay.
    """

    def __init__(self, url: str, *, nome: str, tamanho: int) -> None:
        self._tamanho = tamanho
        comum: dict[str, Any] = {
            "client_name": re.sub(r"[^!-~]", "_", nome),  # as CLIENT SETNAME will have it
            "protocol": 2,
            "socket_connect_timeout": CONNECT_TIMEOUT,
            "socket_timeout": TIMEOUT,
            "driver_info": None,
        }
        self._escrita = redis.Redis.from_url(url, **comum, retry=Retry(NoBackoff(), 0))
        self._leitura = redis.asyncio.Redis.from_url(url, **comum, retry=AsyncRetry(NoBackoff(), 0))

    def publicar(self, eventos: Sequence[Evento]) -> None:
        textos: list[str | int] = [self._tamanho]
        for evento in eventos:
            textos += (evento.evento_id, evento.tipo, evento.corpo, evento.ocorrido_em)
        try:
            self._escrita.eval(PUBLICAR, 1, STREAM, *textos)
        except (redis.RedisError, OSError) as exc:
            raise ServicoIndisponivel("Valkey") from exc

    async def fim(self) -> str:
        try:
            ultimos: Any = await self._leitura.xrevrange(STREAM, count=1)
        except (redis.RedisError, OSError) as exc:
            raise ServicoIndisponivel("Valkey") from exc
        return str(ultimos[0][0], "ascii") if ultimos else "0-0"

    async def depois(self, posicao: str, espera: float) -> tuple[str, list[Evento]]:
        """`espera`: less than TIMEOUT seconds."""
        try:
            lido: Any = await self._leitura.xread({STREAM: posicao}, count=PAGINA, block=int(espera * 1000))
        except (redis.RedisError, OSError) as exc:
            raise ServicoIndisponivel("Valkey") from exc
        if not lido:
            return posicao, []
        [(_, entradas)] = lido
        return str(entradas[-1][0], "ascii"), [_evento(campos) for _, campos in entradas]

    async def close(self) -> None:
        self._escrita.close()
        await self._leitura.aclose()


def _evento(campos: dict[bytes, bytes]) -> Evento:
    pedido_id, _, seq = campos[b"evento_id"].decode().rpartition(":")
    corpo, ocorrido_em = campos[b"corpo"].decode(), campos[b"ocorrido_em"].decode()
    return Evento(pedido_id, int(seq), campos[b"tipo"].decode(), corpo, ocorrido_em)
