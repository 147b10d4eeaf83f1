"""Rules of protovalidate, told in Portuguese. The messages are made at run time from .proto text."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from chassis import validation
from chassis.errors import InvalidRequest
from tests.conformance.contract import known

RULES = """
syntax = "proto3";
package regras.v1;
import "buf/validate/validate.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
enum Cor { COR_NENHUMA = 0; COR_AZUL = 1; }
message Parte { string nome = 1 [(buf.validate.field).required = true]; }
message Tudo {
  string vazio = 1 [(buf.validate.field).required = true];
  string curto = 2 [(buf.validate.field).string.min_len = 3];
  string uma = 3 [(buf.validate.field).string.min_len = 1];
  string longo = 4 [(buf.validate.field).string.max_len = 2];
  string exato = 5 [(buf.validate.field).string.len = 3];
  string forma = 6 [(buf.validate.field).string.pattern = "^[a-z]+$"];
  string correio = 7 [(buf.validate.field).string.email = true];
  string chave = 8 [(buf.validate.field).string.uuid = true];
  int32 faixa = 9 [(buf.validate.field).int32 = {gte: 1, lte: 99}];
  int64 acima = 10 [(buf.validate.field).int64.gt = 10];
  int32 minimo = 11 [(buf.validate.field).int32.gte = 10];
  uint32 abaixo = 12 [(buf.validate.field).uint32.lt = 10];
  double maximo = 13 [(buf.validate.field).double.lte = 1.5];
  int32 meia = 14 [(buf.validate.field).int32 = {gt: 0, lt: 10}];
  int32 um_de = 15 [(buf.validate.field).int32 = {in: [5, 7]}];
  string menos = 16 [(buf.validate.field).string = {not_in: ["a", "b"]}];
  Cor cor = 17 [(buf.validate.field).enum.defined_only = true];
  Cor alguma = 18 [(buf.validate.field).enum = {not_in: 0}];
  repeated string poucos = 19 [(buf.validate.field).repeated.min_items = 1];
  repeated string muitos = 20 [(buf.validate.field).repeated.max_items = 2];
  repeated string unicos = 21 [(buf.validate.field).repeated.unique = true];
  repeated Parte partes = 22;
  map<string, int32> mapa = 23 [(buf.validate.field).map = {keys: {string: {max_len: 2}}, values: {int32: {gt: 0}}}];
  string meu = 24 [(buf.validate.field).cel = {id: "sem_x", message: "não pode ser 'x'", expression: "this != 'x'"}];
  string pre = 25 [(buf.validate.field).string.prefix = "a"];
  bool aceito = 26 [(buf.validate.field).bool.const = true];
  google.protobuf.Duration espera = 27 [(buf.validate.field).duration.gte.seconds = 1];
  string site = 28 [(buf.validate.field).string.uri = true];
  string cep = 29 [(buf.validate.field).string.hostname = true];
}
message Escolha {
  oneof qual { option (buf.validate.oneof).required = true; string a = 1; string b = 2; }
}
message Par {
  option (buf.validate.message).cel = {
    id: "par.ordem", message: "o mínimo passa do máximo", expression: "this.minimo <= this.maximo"
  };
  int32 minimo = 1;
  int32 maximo = 2;
}
message Livre { string texto = 1; Livre dentro = 2; }
message Futuro { google.protobuf.Timestamp quando = 1 [(buf.validate.field).timestamp.gt_now = true]; }
"""

EXPECTED = [
    ({"vazio": ""}, "vazio", "é obrigatório"),
    ({"curto": "ab"}, "curto", "deve ter no mínimo 3 caracteres"),
    ({"uma": ""}, "uma", "deve ter no mínimo 1 caractere"),
    ({"longo": "ação"}, "longo", "deve ter no máximo 2 caracteres"),
    ({"exato": "ab"}, "exato", "deve ter exatamente 3 caracteres"),
    ({"forma": "A1"}, "forma", "deve seguir o formato ^[a-z]+$"),
    ({"correio": "x"}, "correio", "deve ser um endereço de e-mail válido"),
    ({"correio": ""}, "correio", "deve ser um endereço de e-mail válido"),
    ({"chave": "y"}, "chave", "deve ser um UUID válido"),
    ({"chave": ""}, "chave", "deve ser um UUID válido"),
    ({"faixa": 100}, "faixa", "deve ficar entre 1 e 99"),
    ({"acima": 10}, "acima", "deve ser maior que 10"),
    ({"minimo": -3}, "minimo", "deve ser no mínimo 10"),
    ({"abaixo": 10}, "abaixo", "deve ser menor que 10"),
    ({"maximo": 1.75}, "maximo", "deve ser no máximo 1.5"),
    ({"meia": 10}, "meia", "deve ser maior que 0 e menor que 10"),
    ({"um_de": 6}, "um_de", "deve ser um destes: 5, 7"),
    ({"menos": "b"}, "menos", "não pode ser nenhum destes: a, b"),
    ({"cor": 9}, "cor", "não é um dos valores conhecidos"),
    ({"alguma": 0}, "alguma", "não é um dos valores aceitos aqui"),
    ({"poucos": []}, "poucos", "deve ter no mínimo 1 item"),
    ({"muitos": ["a", "b", "c"]}, "muitos", "deve ter no máximo 2 itens"),
    ({"unicos": ["a", "a"]}, "unicos", "não pode ter itens repetidos"),
    ({"partes": [{"nome": "a"}, {}]}, "partes[1].nome", "é obrigatório"),
    ({"mapa": {"abc": 1}}, 'mapa["abc"]', "chave: deve ter no máximo 2 caracteres"),
    ({"mapa": {"ab": 0}}, 'mapa["ab"]', "deve ser maior que 0"),
    ({"meu": "x"}, "meu", "não pode ser 'x'"),
    ({"pre": "b"}, "pre", "deve começar com a"),
    ({"aceito": False}, "aceito", "deve ser verdadeiro"),
    ({"espera": {"nanos": 5}}, "espera", "deve ser no mínimo 1s"),
    ({"site": "::"}, "site", "deve ser um endereço (URI) válido"),
    ({"cep": "-"}, "cep", "deve ser um nome de servidor válido"),
]

Types = Callable[[str], Any]


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Types:
    folder: Path = tmp_path_factory.mktemp("regras")
    (folder / "regras.proto").write_text(RULES)
    (folder / "known.binpb").write_bytes(known().SerializeToString())
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={folder / 'known.binpb'}"]
    out = folder / "regras.binpb"
    options = ["--include_imports", f"-I{folder}", f"--descriptor_set_out={out}"]
    subprocess.run([*protoc, *options, "regras.proto"], check=True)
    pool = descriptor_pool.DescriptorPool()
    for each in FileDescriptorSet.FromString(out.read_bytes()).file:
        pool.Add(each)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"regras.v1.{name}"))


def violations(message: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        validation.parser(message.DESCRIPTOR)(message.SerializeToString())
    return dict(refused.value.violations)


@pytest.mark.parametrize(("values", "field", "text"), EXPECTED)
def test_each_rule_has_its_words(types: Types, values: dict[str, Any], field: str, text: str) -> None:
    assert violations(types("Tudo")(**values))[field] == text


def test_a_choice_must_be_made(types: Types) -> None:
    assert violations(types("Escolha")()) == {"qual": "informe exatamente um dos campos"}


def test_a_rule_of_the_whole_message_has_no_field_and_speaks_for_itself(types: Types) -> None:
    message = types("Par")(minimo=2, maximo=1)
    assert violations(message) == {"": "o mínimo passa do máximo"}
    with pytest.raises(InvalidRequest, match=r"^Requisição inválida: o mínimo passa do máximo\.$"):
        validation.parser(message.DESCRIPTOR)(message.SerializeToString())


def test_a_type_without_rules_is_only_read(types: Types) -> None:
    message = types("Livre")(texto="a", dentro={"texto": "b"})
    assert validation.parser(message.DESCRIPTOR)(message.SerializeToString()) == message


@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\x05ab", b"\x0a\x02\xc3\x28"])
def test_what_is_no_message_is_refused(types: Types, raw: bytes) -> None:
    with pytest.raises(InvalidRequest, match="a mensagem não pôde ser lida"):
        validation.parser(types("Livre").DESCRIPTOR)(raw)


def test_remembered_requests_are_answered_with_messages_of_their_own(types: Types) -> None:
    parse: Any = validation.parser(types("Par").DESCRIPTOR)
    raw = types("Par")(minimo=1, maximo=2).SerializeToString()
    first, second = parse(raw), parse(raw)
    first.minimo = 99
    assert second.minimo == 1
    assert parse(raw).minimo == 1


def test_more_requests_than_are_remembered_are_all_checked(types: Types) -> None:
    parse: Any = validation.parser(types("Par").DESCRIPTOR)
    for number in range(3_000):
        assert parse(types("Par")(minimo=number, maximo=number).SerializeToString()).maximo == number
        if number % 100 == 0:
            with pytest.raises(InvalidRequest):
                parse(types("Par")(minimo=number + 1, maximo=number).SerializeToString())


def test_what_was_in_the_future_does_not_stay_valid_for_ever(types: Types) -> None:
    message, now = types("Futuro")(), types("Futuro")()
    parse = validation.parser(message.DESCRIPTOR)
    message.quando.GetCurrentTime()
    message.quando.seconds += 1
    raw = message.SerializeToString()
    parse(raw)
    while now.quando.ToNanoseconds() <= message.quando.ToNanoseconds():  # one second
        now.quando.GetCurrentTime()
    with pytest.raises(InvalidRequest, match="deve estar no futuro"):
        parse(raw)
