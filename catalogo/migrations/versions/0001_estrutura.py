"""Categories, products, reservations and the ledger of stock."""

from alembic import op

revision = "0001"
down_revision = None

CHANGES = """
-- What the read model follows. `mudanca` is the transaction of a row's last change: everything below
-- pg_snapshot_xmin() is decided, so a reader that goes on from there misses nothing although transactions commit out
-- of order. `revisao` says which of two copies of a row is the newer: its changes are serialised by the row's lock.
CREATE FUNCTION marcar_mudanca() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.mudanca := pg_current_xact_id()::text::bigint;
  NEW.revisao := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE OLD.revisao + 1 END;
  RETURN NEW;
END $$;

CREATE FUNCTION recusar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is not allowed on %: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""

PRODUCTS = """
CREATE TABLE categorias (
  categoria_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  nome text NOT NULL CHECK (char_length(nome) BETWEEN 1 AND 80),
  nome_chave text NOT NULL CONSTRAINT categorias_nome UNIQUE,  -- folded: accents and case aside
  descricao text NOT NULL DEFAULT '' CHECK (char_length(descricao) <= 500),
  criado_em timestamptz NOT NULL DEFAULT now(),
  mudanca bigint NOT NULL,
  revisao bigint NOT NULL
);
CREATE TRIGGER mudanca BEFORE INSERT OR UPDATE ON categorias FOR EACH ROW EXECUTE FUNCTION marcar_mudanca();

-- Rule 2, conservation, is a CHECK: no statement can create or lose a unit. fillfactor and the BRIN index (the one kind
-- that does not get in the way of heap-only updates) keep a hot product's row cheap to change; BRIN has no operator
-- class for xid8, therefore bigint.
CREATE TABLE produtos (
  produto_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  nome text NOT NULL CHECK (char_length(nome) BETWEEN 1 AND 120),
  descricao text NOT NULL DEFAULT '' CHECK (char_length(descricao) <= 2000),
  preco_centavos integer NOT NULL CHECK (preco_centavos BETWEEN 1 AND 1000000),
  categoria_id integer NOT NULL CONSTRAINT produtos_categoria REFERENCES categorias,
  imagem_url text NOT NULL DEFAULT '' CHECK (char_length(imagem_url) <= 500),
  ativo boolean NOT NULL DEFAULT true,
  versao integer NOT NULL DEFAULT 1 CHECK (versao >= 1),
  inicial integer NOT NULL CHECK (inicial BETWEEN 0 AND 1000000),
  reposto bigint NOT NULL DEFAULT 0 CHECK (reposto >= 0),
  disponivel integer NOT NULL CHECK (disponivel >= 0),
  reservado integer NOT NULL DEFAULT 0 CHECK (reservado >= 0),
  vendido bigint NOT NULL DEFAULT 0 CHECK (vendido >= 0),
  baixado bigint NOT NULL DEFAULT 0 CHECK (baixado >= 0),
  criacao_chave uuid,  -- request_id of CriarProduto, and what it asked for
  criacao_impressao bytea,
  criado_em timestamptz NOT NULL DEFAULT now(),
  excluido_em timestamptz,  -- rows stay: orders, reservations and the ledger speak of them
  mudanca bigint NOT NULL,
  revisao bigint NOT NULL,
  CONSTRAINT conservacao CHECK (inicial + reposto = disponivel + reservado + vendido + baixado),
  CHECK ((criacao_chave IS NULL) = (criacao_impressao IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX produtos_criacao ON produtos (criacao_chave) WHERE criacao_chave IS NOT NULL;
CREATE INDEX produtos_mudanca ON produtos USING brin (mudanca) WITH (pages_per_range = 4, autosummarize = on);
CREATE TRIGGER mudanca BEFORE INSERT OR UPDATE ON produtos FOR EACH ROW EXECUTE FUNCTION marcar_mudanca();
CREATE TRIGGER fica BEFORE DELETE ON produtos FOR EACH ROW EXECUTE FUNCTION recusar('set excluido_em instead');
"""

RESERVATIONS = """
-- A released reservation without expira_em was never made: LiberarReserva came first.
CREATE TABLE reservas (
  reserva_id uuid PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('ATIVA', 'CONFIRMADA', 'LIBERADA', 'EXPIRADA')),
  expira_em timestamptz CHECK (expira_em IS NOT NULL OR status = 'LIBERADA'),
  criada_em timestamptz NOT NULL DEFAULT now(),
  mudada_em timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reservas_a_vencer ON reservas (expira_em) WHERE status = 'ATIVA';
CREATE TRIGGER passos BEFORE UPDATE ON reservas FOR EACH ROW
  WHEN (NOT (OLD.status = 'ATIVA' AND NEW.status <> 'ATIVA' OR OLD.status = 'CONFIRMADA' AND NEW.status = 'LIBERADA'))
  EXECUTE FUNCTION recusar('no such step');

CREATE TABLE itens_reserva (
  reserva_id uuid NOT NULL REFERENCES reservas,
  produto_id integer NOT NULL REFERENCES produtos,
  nome text NOT NULL,
  preco_centavos integer NOT NULL CHECK (preco_centavos >= 1),
  quantidade integer NOT NULL CHECK (quantidade BETWEEN 1 AND 1000),
  PRIMARY KEY (reserva_id, produto_id)
);
"""

# Each kind of movement moves units in its own way only; a key names one effect and occurs once.
LEDGER = """
CREATE TABLE movimentos_estoque (
  movimento_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  produto_id integer NOT NULL REFERENCES produtos,
  operacao text NOT NULL,
  chave text NOT NULL CONSTRAINT movimentos_chave UNIQUE,
  quem text NOT NULL,  -- x-request-id of the call, or the name of a job of ours
  quantidade integer NOT NULL CHECK (quantidade >= 0),
  inicial integer NOT NULL DEFAULT 0,
  reposto integer NOT NULL DEFAULT 0,
  disponivel integer NOT NULL DEFAULT 0,
  reservado integer NOT NULL DEFAULT 0,
  vendido integer NOT NULL DEFAULT 0,
  baixado integer NOT NULL DEFAULT 0,
  criado_em timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT conservacao CHECK (inicial + reposto = disponivel + reservado + vendido + baixado),
  CONSTRAINT passo CHECK (CASE operacao
    WHEN 'CRIAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (quantidade, 0, quantidade, 0, 0, 0)
    WHEN 'ADICIONAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, quantidade, quantidade, 0, 0, 0)
    WHEN 'REMOVER' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, 0, -quantidade, 0, 0, quantidade)
    WHEN 'DEFINIR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, greatest(disponivel, 0), disponivel, 0, 0, greatest(-disponivel, 0))
    WHEN 'RESERVAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, 0, -quantidade, quantidade, 0, 0)
    WHEN 'CONFIRMAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, 0, 0, -quantidade, quantidade, 0)
    WHEN 'LIBERAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, 0, quantidade, -quantidade, 0, 0)
    WHEN 'EXPIRAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, 0, quantidade, -quantidade, 0, 0)
    WHEN 'ESTORNAR' THEN (inicial, reposto, disponivel, reservado, vendido, baixado)
      = (0, 0, quantidade, 0, -quantidade, 0)
    ELSE false END)
);
CREATE TRIGGER permanente BEFORE UPDATE OR DELETE ON movimentos_estoque
  FOR EACH ROW EXECUTE FUNCTION recusar('the ledger only grows');
CREATE TRIGGER inteiro BEFORE TRUNCATE ON movimentos_estoque
  FOR EACH STATEMENT EXECUTE FUNCTION recusar('the ledger only grows');

-- Empty as long as columns, ledger and reservations tell the same story of every product.
CREATE VIEW auditoria_estoque AS
WITH coluna AS (
  SELECT produto_id, inicial, reposto, disponivel, reservado, vendido, baixado FROM produtos
), razao AS (
  SELECT produto_id, sum(inicial) AS inicial, sum(reposto) AS reposto, sum(disponivel) AS disponivel,
         sum(reservado) AS reservado, sum(vendido) AS vendido, sum(baixado) AS baixado
  FROM movimentos_estoque GROUP BY produto_id
), reserva AS (
  SELECT i.produto_id,
         coalesce(sum(i.quantidade) FILTER (WHERE r.status = 'ATIVA'), 0) AS reservado,
         coalesce(sum(i.quantidade) FILTER (WHERE r.status = 'CONFIRMADA'), 0) AS vendido
  FROM itens_reserva i JOIN reservas r USING (reserva_id) GROUP BY i.produto_id
)
SELECT c.produto_id, to_jsonb(c) - 'produto_id' AS colunas, to_jsonb(m) - 'produto_id' AS movimentos,
       to_jsonb(r) - 'produto_id' AS reservas
FROM coluna c LEFT JOIN razao m USING (produto_id) LEFT JOIN reserva r USING (produto_id)
WHERE (c.inicial, c.reposto, c.disponivel, c.reservado, c.vendido, c.baixado)
      IS DISTINCT FROM (m.inicial, m.reposto, m.disponivel, m.reservado, m.vendido, m.baixado)
   OR (c.reservado, c.vendido) IS DISTINCT FROM (coalesce(r.reservado, 0), coalesce(r.vendido, 0));
"""


def upgrade() -> None:
    for part in (CHANGES, PRODUCTS, RESERVATIONS, LEDGER):
        op.execute(part)


def downgrade() -> None:
    raise NotImplementedError("the ledger is not thrown away; restore a backup instead")
