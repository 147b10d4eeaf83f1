"""Attempts to order, orders with their items, and the outbox."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATUS = "'PENDENTE', 'CONFIRMADO', 'EM_PREPARO', 'PRONTO', 'ENTREGUE', 'CANCELADO'"
ETAPAS = "'INICIADA', 'GRAVADA', 'RESPONDIDA', 'CONCLUIDA', 'FALHANDO', 'FALHOU'"
SEM_CHAVE = "'FALHANDO', 'FALHOU'"
EVENTOS = "'pedido_criado', 'pedido_confirmado', 'pedido_cancelado', 'status_alterado'"


def upgrade() -> None:
    for statement in (*COMPRAS, *PEDIDOS, *EVENTOS_SAIDA):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE eventos_saida, itens_pedido, pedidos, compras")


COMPRAS = (
    # One row an attempt. The key is unique among those that did not fail, so a failure frees it and keeps its row.
    f"""CREATE TABLE compras (
      pedido_id uuid PRIMARY KEY DEFAULT uuidv7(),
      chave text NOT NULL,
      fingerprint bytea NOT NULL,
      sessao_id text NOT NULL,
      carrinho_versao integer NOT NULL,
      solicitacao jsonb NOT NULL,
      etapa text NOT NULL CHECK (etapa IN ({ETAPAS})),
      resposta bytea,
      falha jsonb,
      dono text NOT NULL,
      vence_em timestamptz NOT NULL,
      criado_em timestamptz NOT NULL DEFAULT clock_timestamp(),
      CHECK ((resposta IS NOT NULL) = (etapa IN ('RESPONDIDA', 'CONCLUIDA'))),
      CHECK ((falha IS NOT NULL) = (etapa IN ({SEM_CHAVE})))
    )""",
    f"CREATE UNIQUE INDEX compras_chave ON compras (chave) WHERE etapa NOT IN ({SEM_CHAVE})",
    f"CREATE INDEX compras_carrinho ON compras (sessao_id, carrinho_versao) WHERE etapa NOT IN ({SEM_CHAVE})",
    "CREATE INDEX compras_pendentes ON compras (vence_em) WHERE etapa NOT IN ('CONCLUIDA', 'FALHOU')",
    "CREATE INDEX compras_falhas ON compras (criado_em) WHERE etapa = 'FALHOU'",
)

PEDIDOS = (
    # `eventos` counts the order's events: the row's lock makes their numbers gapless. `devolver_em` is a debt: the
    # stock of a cancelled order is still to be given back, by whoever finds it after that time.
    f"""CREATE TABLE pedidos (
      pedido_id uuid PRIMARY KEY,
      sessao_id text NOT NULL,
      status text NOT NULL CHECK (status IN ({STATUS})),
      total_centavos integer NOT NULL CHECK (total_centavos BETWEEN 0 AND 2000000000),
      cliente_nome text NOT NULL,
      cliente_email text NOT NULL,
      cliente_telefone text NOT NULL,
      observacao text NOT NULL,
      motivo_cancelamento text NOT NULL DEFAULT '',
      eventos integer NOT NULL,
      devolver_em timestamptz CHECK (devolver_em IS NULL OR status = 'CANCELADO'),
      criado_em timestamptz NOT NULL,
      atualizado_em timestamptz NOT NULL
    )""",
    "CREATE INDEX pedidos_sessao ON pedidos (sessao_id, pedido_id)",
    "CREATE INDEX pedidos_status ON pedidos (status, pedido_id)",
    "CREATE INDEX pedidos_devolver ON pedidos (devolver_em) WHERE devolver_em IS NOT NULL",
    """CREATE TABLE itens_pedido (
      pedido_id uuid NOT NULL REFERENCES pedidos,
      produto_id integer NOT NULL,
      nome text NOT NULL,
      preco_centavos integer NOT NULL CHECK (preco_centavos >= 0),
      quantidade integer NOT NULL CHECK (quantidade > 0),
      PRIMARY KEY (pedido_id, produto_id)
    )""",
)

EVENTOS_SAIDA = (
    f"""CREATE TABLE eventos_saida (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      pedido_id uuid NOT NULL REFERENCES pedidos,
      seq integer NOT NULL,
      tipo text NOT NULL CHECK (tipo IN ({EVENTOS})),
      corpo jsonb NOT NULL,
      criado_em timestamptz NOT NULL DEFAULT clock_timestamp(),
      enviado_em timestamptz,
      UNIQUE (pedido_id, seq)
    )""",
    "CREATE INDEX eventos_a_enviar ON eventos_saida (id) WHERE enviado_em IS NULL",
)
