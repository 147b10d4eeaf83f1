"""Stock and reservations: what may happen to them, decided on rows that the caller holds locked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias
from uuid import UUID

from catalogo.domain.errors import (
    ChaveReutilizada,
    EstoqueExcedeLimite,
    EstoqueInsuficiente,
    ProdutoInativo,
    ProdutoNaoEncontrado,
    ReservaExpirada,
    ReservaLiberada,
    ReservaNaoEncontrada,
)

LIMITE = 1_000_000  # units on the shelf that the bakery may declare; what comes back from orders may pass it
VALIDADE_PADRAO = 300  # seconds


class Operacao(StrEnum):
    """What happened to stock: the word written in the ledger."""

    CRIAR = "CRIAR"
    ADICIONAR = "ADICIONAR"
    REMOVER = "REMOVER"
    DEFINIR = "DEFINIR"
    RESERVAR = "RESERVAR"
    CONFIRMAR = "CONFIRMAR"
    LIBERAR = "LIBERAR"
    EXPIRAR = "EXPIRAR"
    ESTORNAR = "ESTORNAR"


class StatusReserva(StrEnum):
    ATIVA = "ATIVA"
    CONFIRMADA = "CONFIRMADA"
    LIBERADA = "LIBERADA"
    EXPIRADA = "EXPIRADA"


class ItemReservar(NamedTuple):
    """`quantidade` in units."""

    produto_id: int
    quantidade: int


@dataclass(frozen=True, slots=True)
class Reservar:
    """Take stock aside for `validade` seconds: all of `itens` or none."""

    reserva_id: UUID
    itens: tuple[ItemReservar, ...]
    validade: int = VALIDADE_PADRAO
    quem: str = ""


@dataclass(frozen=True, slots=True)
class Confirmar:
    """Sell what was reserved."""

    reserva_id: UUID
    quem: str = ""


@dataclass(frozen=True, slots=True)
class Liberar:
    """Give back what was reserved, or sold."""

    reserva_id: UUID
    quem: str = ""


@dataclass(frozen=True, slots=True)
class Consultar:
    """Look at a reservation, and let it expire if its time is over."""

    reserva_id: UUID
    quem: str = ""


@dataclass(frozen=True, slots=True)
class Ajustar:
    """The bakery's own movement: ADICIONAR, REMOVER or DEFINIR. `chave` makes a repetition harmless."""

    produto_id: int
    operacao: Operacao
    quantidade: int
    chave: UUID | None = None
    quem: str = ""


# `quem` is who asked, for the ledger: the call's request id, or the name of a job of ours.
ComandoReserva: TypeAlias = Reservar | Confirmar | Liberar | Consultar
Comando: TypeAlias = ComandoReserva | Ajustar


@dataclass(slots=True)
class Saldo:
    """What a decision needs to know of a product's row."""

    produto_id: int
    nome: str
    preco_centavos: int
    ativo: bool
    excluido: bool
    disponivel: int


class ItemReserva(NamedTuple):
    """Name and price (centavos) of the moment of reservation."""

    produto_id: int
    nome: str
    preco_centavos: int
    quantidade: int


@dataclass(frozen=True, slots=True)
class Reserva:
    """Items by product. None of them, and no `expira_em`: it was released before it was ever made."""

    reserva_id: UUID
    status: StatusReserva
    itens: tuple[ItemReserva, ...] = ()
    expira_em: datetime | None = None


class Movimento(NamedTuple):
    """A line of the ledger. Deltas in units; inicial + reposto = disponivel + reservado + vendido + baixado."""

    produto_id: int
    operacao: Operacao
    chave: str | None  # names the effect: no two lines have the same one; None: the database makes one up
    quem: str
    quantidade: int
    reposto: int = 0
    disponivel: int = 0
    reservado: int = 0
    vendido: int = 0
    baixado: int = 0


class Ajustado(NamedTuple):
    """What an earlier Ajustar with the same key had asked for."""

    produto_id: int
    operacao: Operacao
    quantidade: int


@dataclass(slots=True)
class Livro:
    """The open book of one transaction: rows read under lock, decisions in order, and what is to be written.

    `agora` is the database's clock, read after the locks were taken. A refused command leaves nothing behind but the
    expiry it may have met, so one that fails does not fail the next.
    """

    agora: datetime
    saldos: Mapping[int, Saldo]
    reservas: dict[UUID, Reserva]
    ajustados: dict[UUID, Ajustado]
    movimentos: list[Movimento] = field(default_factory=list)
    novas: set[UUID] = field(default_factory=set)
    mudadas: set[UUID] = field(default_factory=set)

    def executar(self, comando: Comando) -> None:
        """Decides one command; a CatalogoError says why not."""
        match comando:
            case Reservar():
                self._reservar(comando)
            case Confirmar():
                self._confirmar(comando)
            case Liberar():
                self._liberar(comando)
            case Consultar():
                self._existente(comando)
            case Ajustar():
                self._ajustar(comando)

    def _reservar(self, comando: Reservar) -> None:
        if comando.reserva_id in self.reservas:
            self._repetir(comando)
            return
        itens = sorted(comando.itens)
        for item in itens:
            self._conferir(item)
        self.reservas[comando.reserva_id] = Reserva(
            comando.reserva_id,
            StatusReserva.ATIVA,
            tuple(map(self._precificar, itens)),
            self.agora + timedelta(seconds=comando.validade),
        )
        self.novas.add(comando.reserva_id)
        for produto_id, units in itens:
            chave = _key(comando, produto_id, "abertura")
            line = Movimento(
                produto_id, Operacao.RESERVAR, chave, comando.quem, units, disponivel=-units, reservado=units
            )
            self._mover(line)

    def _repetir(self, comando: Reservar) -> None:
        reserva = self._existente(comando)
        if not reserva.itens:
            raise ReservaLiberada(comando.reserva_id)
        if [(item.produto_id, item.quantidade) for item in reserva.itens] != sorted(comando.itens):
            raise ChaveReutilizada(comando.reserva_id)

    def _confirmar(self, comando: Confirmar) -> None:
        reserva = self._existente(comando)
        match reserva.status:
            case StatusReserva.ATIVA:
                self._encerrar(comando, Operacao.CONFIRMAR, StatusReserva.CONFIRMADA)
            case StatusReserva.LIBERADA:
                raise ReservaLiberada(comando.reserva_id)
            case StatusReserva.EXPIRADA:
                raise ReservaExpirada(comando.reserva_id)
            case StatusReserva.CONFIRMADA:
                pass

    def _liberar(self, comando: Liberar) -> None:
        if comando.reserva_id not in self.reservas:
            self.reservas[comando.reserva_id] = Reserva(comando.reserva_id, StatusReserva.LIBERADA)
            self.novas.add(comando.reserva_id)
            return
        match self._existente(comando).status:
            case StatusReserva.ATIVA:
                self._encerrar(comando, Operacao.LIBERAR, StatusReserva.LIBERADA)
            case StatusReserva.CONFIRMADA:
                self._encerrar(comando, Operacao.ESTORNAR, StatusReserva.LIBERADA)
            case _:
                pass

    def _existente(self, comando: ComandoReserva) -> Reserva:
        """The reservation as it is now: one whose time is over expires when it is touched."""
        reserva = self.reservas.get(comando.reserva_id)
        if reserva is None:
            raise ReservaNaoEncontrada(comando.reserva_id)
        if reserva.status is StatusReserva.ATIVA and reserva.expira_em and reserva.expira_em <= self.agora:
            self._encerrar(comando, Operacao.EXPIRAR, StatusReserva.EXPIRADA)
        return self.reservas[comando.reserva_id]

    def _encerrar(self, comando: ComandoReserva, operacao: Operacao, status: StatusReserva) -> None:
        reserva = self.reservas[comando.reserva_id]
        self.reservas[comando.reserva_id] = replace(reserva, status=status)
        self.mudadas.add(comando.reserva_id)
        # One end, and one undoing of a sale, per reservation: the ledger's unique key sees to it.
        phase = "estorno" if operacao is Operacao.ESTORNAR else "fim"
        for item in reserva.itens:
            self._mover(_ending(item, operacao, _key(comando, item.produto_id, phase), comando.quem))

    def _ajustar(self, comando: Ajustar) -> None:
        if comando.chave in self.ajustados:
            if self.ajustados[comando.chave] != (comando.produto_id, comando.operacao, comando.quantidade):
                raise ChaveReutilizada(comando.chave)
            self._existe(comando.produto_id)
            return
        self._mover(_adjustment(comando, self._existe(comando.produto_id)))
        if comando.chave is not None:
            self.ajustados[comando.chave] = Ajustado(comando.produto_id, comando.operacao, comando.quantidade)

    def _existe(self, produto_id: int) -> Saldo:
        saldo = self.saldos.get(produto_id)
        if saldo is None or saldo.excluido:
            raise ProdutoNaoEncontrado(produto_id)
        return saldo

    def _conferir(self, item: ItemReservar) -> None:
        saldo = self._existe(item.produto_id)
        if not saldo.ativo:
            raise ProdutoInativo(item.produto_id)
        if saldo.disponivel < item.quantidade:
            raise EstoqueInsuficiente(item.produto_id, item.quantidade, saldo.disponivel)

    def _precificar(self, item: ItemReservar) -> ItemReserva:
        saldo = self.saldos[item.produto_id]
        return ItemReserva(item.produto_id, saldo.nome, saldo.preco_centavos, item.quantidade)

    def _mover(self, movimento: Movimento) -> None:
        self.saldos[movimento.produto_id].disponivel += movimento.disponivel
        self.movimentos.append(movimento)


def _key(comando: ComandoReserva, produto_id: int, phase: str) -> str:
    return f"reserva:{comando.reserva_id}:{produto_id}:{phase}"


def _ending(item: ItemReserva, operacao: Operacao, chave: str, quem: str) -> Movimento:
    units = item.quantidade
    line = Movimento(item.produto_id, operacao, chave, quem, units)
    match operacao:
        case Operacao.CONFIRMAR:
            return line._replace(reservado=-units, vendido=units)
        case Operacao.ESTORNAR:
            return line._replace(vendido=-units, disponivel=units)
        case _:
            return line._replace(reservado=-units, disponivel=units)


def _adjustment(comando: Ajustar, saldo: Saldo) -> Movimento:
    produto_id, units = comando.produto_id, comando.quantidade
    chave = f"estoque:{comando.chave}" if comando.chave else None
    line = Movimento(produto_id, comando.operacao, chave, comando.quem, units)
    match comando.operacao:
        case Operacao.ADICIONAR:
            if units and saldo.disponivel + units > LIMITE:
                raise EstoqueExcedeLimite(produto_id, LIMITE)
            return line._replace(reposto=units, disponivel=units)
        case Operacao.REMOVER:
            if units > saldo.disponivel:
                raise EstoqueInsuficiente(produto_id, units, saldo.disponivel)
            return line._replace(baixado=units, disponivel=-units)
        case _:
            change = units - saldo.disponivel
            return line._replace(reposto=max(change, 0), baixado=max(-change, 0), disponivel=change)
