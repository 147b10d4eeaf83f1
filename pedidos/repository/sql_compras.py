"""The statements of attempts to order. Each takes a batch as arrays, one value a row."""

# ruff: noqa: S608  only our own constants are put together

from pedidos.repository.rows import COMPRA, PEDIDO

_VENCE = "clock_timestamp() + %(arrendamento)s * interval '1 second'"
# Later than any change before it, also when two transactions on one order began in the other order.
AGORA = "greatest(clock_timestamp(), p.atualizado_em + interval '1 microsecond')"

BUSCAR = f"SELECT {COMPRA} FROM compras c WHERE c.chave = ANY(%(chaves)s) AND c.com_chave"

BUSCAR_POR_CARRINHO = f"""SELECT {COMPRA} FROM compras c
        WHERE c.sessao_id = %(sessao_id)s AND c.carrinho_versao = %(versao)s AND c.com_chave
        ORDER BY c.pedido_id LIMIT 1"""

RELER = f"SELECT {COMPRA} FROM compras c WHERE c.pedido_id = ANY(CAST(%(pedido_ids)s AS uuid[]))"

REGISTRAR = f"""INSERT INTO compras (chave, fingerprint, sessao_id, carrinho_versao, solicitacao, etapa, dono, vence_em)
        SELECT e.chave, e.fingerprint, e.sessao_id, e.versao, CAST(e.solicitacao AS jsonb), 'INICIADA', %(dono)s,
               {_VENCE}
          FROM unnest(CAST(%(chaves)s AS text[]), CAST(%(fingerprints)s AS bytea[]), CAST(%(sessoes)s AS text[]),
                      CAST(%(versoes)s AS integer[]), CAST(%(solicitacoes)s AS text[]))
               AS e(chave, fingerprint, sessao_id, versao, solicitacao)
         ORDER BY e.chave
        ON CONFLICT DO NOTHING
        RETURNING chave, CAST(pedido_id AS text) AS pedido_id, criado_em"""

ASSUMIR = f"""UPDATE compras c SET dono = %(dono)s, vence_em = {_VENCE}
         WHERE c.pedido_id = %(pedido_id)s AND c.etapa IN ('INICIADA', 'GRAVADA') AND c.vence_em <= now()
        RETURNING {COMPRA}"""

GRAVAR = f"""WITH gravada AS (
          UPDATE compras c SET etapa = 'GRAVADA', dono = %(dono)s, vence_em = {_VENCE}
            FROM unnest(CAST(%(pedido_ids)s AS uuid[]), CAST(%(totais)s AS integer[]), CAST(%(corpos)s AS text[]))
                 AS e(pedido_id, total, corpo)
           WHERE c.pedido_id = e.pedido_id AND c.etapa = 'INICIADA'
          RETURNING c.pedido_id, c.sessao_id, c.solicitacao, c.criado_em, e.total, e.corpo
        ), pedido AS (
          INSERT INTO pedidos (pedido_id, sessao_id, status, total_centavos, cliente_nome, cliente_email,
                               cliente_telefone, observacao, eventos, criado_em, atualizado_em)
          SELECT pedido_id, sessao_id, 'PENDENTE', total, solicitacao->>0, solicitacao->>1, solicitacao->>2,
                 solicitacao->>3, 1, criado_em, criado_em
            FROM gravada
        ), itens AS (
          INSERT INTO itens_pedido (pedido_id, produto_id, nome, preco_centavos, quantidade)
          SELECT i.*
            FROM unnest(CAST(%(donos)s AS uuid[]), CAST(%(produtos)s AS integer[]), CAST(%(nomes)s AS text[]),
                        CAST(%(precos)s AS integer[]), CAST(%(quantidades)s AS integer[]))
                 AS i(pedido_id, produto_id, nome, preco_centavos, quantidade)
            JOIN gravada USING (pedido_id)
        ), evento AS (
          INSERT INTO eventos_saida (pedido_id, seq, tipo, corpo)
          SELECT pedido_id, 1, 'pedido_criado', CAST(corpo AS jsonb) FROM gravada
        )
        SELECT CAST(pedido_id AS text) AS pedido_id FROM gravada"""

CONFIRMAR = f"""UPDATE pedidos p SET status = 'CONFIRMADO', eventos = p.eventos + 1, atualizado_em = {AGORA}
          FROM compras c
         WHERE c.pedido_id = p.pedido_id AND p.pedido_id = ANY(CAST(%(pedido_ids)s AS uuid[]))
           AND c.etapa = 'GRAVADA' AND p.status = 'PENDENTE'
        RETURNING p.eventos, {PEDIDO}"""

CANCELADOS = f"""SELECT {PEDIDO} FROM pedidos p JOIN compras c ON c.pedido_id = p.pedido_id
         WHERE p.pedido_id = ANY(CAST(%(pedido_ids)s AS uuid[])) AND c.etapa = 'GRAVADA' AND p.status = 'CANCELADO'"""

RESPONDER = f"""WITH respondida AS (
          UPDATE compras c SET etapa = 'RESPONDIDA', resposta = e.resposta, vence_em = {_VENCE}, dono = %(dono)s
            FROM unnest(CAST(%(pedido_ids)s AS uuid[]), CAST(%(respostas)s AS bytea[]), CAST(%(seqs)s AS integer[]))
                 AS e(pedido_id, resposta, seq)
           WHERE c.pedido_id = e.pedido_id AND c.etapa = 'GRAVADA'
          RETURNING c.pedido_id, e.seq
        ), evento AS (
          INSERT INTO eventos_saida (pedido_id, seq, tipo, corpo)
          SELECT p.pedido_id, r.seq, 'pedido_confirmado',
                 jsonb_build_object('pedido_id', p.pedido_id, 'status', p.status, 'status_anterior', 'PENDENTE',
                                    'atualizado_em', p.atualizado_em)
            FROM respondida r JOIN pedidos p USING (pedido_id) WHERE r.seq IS NOT NULL
        )
        SELECT CAST(pedido_id AS text) AS pedido_id FROM respondida"""

# The step of an attempt that is given up, and of the order that it wrote.
ABANDONAR = f"""UPDATE compras c
           SET etapa = 'FALHANDO', falha = CAST(e.falha AS jsonb), dono = %(dono)s, vence_em = {_VENCE}
          FROM unnest(CAST(%(pedido_ids)s AS uuid[]), CAST(%(etapas)s AS text[]), CAST(%(falhas)s AS text[]))
               AS e(pedido_id, etapa, falha)
         WHERE c.pedido_id = e.pedido_id AND c.etapa = e.etapa
        RETURNING CAST(c.pedido_id AS text) AS pedido_id"""

CANCELAR_PENDENTE = f"""WITH cancelado AS (
          UPDATE pedidos p SET status = 'CANCELADO', eventos = p.eventos + 1, atualizado_em = {AGORA}
           WHERE p.pedido_id = %(pedido_id)s AND p.status = 'PENDENTE'
          RETURNING p.*
        ), evento AS (
          INSERT INTO eventos_saida (pedido_id, seq, tipo, corpo)
          SELECT pedido_id, eventos, 'pedido_cancelado',
                 jsonb_build_object('pedido_id', pedido_id, 'status', status, 'status_anterior', 'PENDENTE',
                                    'atualizado_em', atualizado_em, 'motivo', 'reserva expirada')
            FROM cancelado
        )
        SELECT pedido_id FROM cancelado"""

CONCLUIR = """UPDATE compras SET etapa = CASE etapa WHEN 'RESPONDIDA' THEN 'CONCLUIDA' ELSE 'FALHOU' END
        WHERE pedido_id = ANY(CAST(%(pedido_ids)s AS uuid[])) AND etapa IN ('RESPONDIDA', 'FALHANDO')"""

SOLTAR = """UPDATE compras SET vence_em = clock_timestamp() + %(segundos)s * interval '1 second'
        WHERE pedido_id = %(pedido_id)s AND dono = %(dono)s AND pendente"""

VENCIDAS = f"""WITH vencida AS (
          SELECT pedido_id FROM compras
           WHERE pendente AND vence_em <= now()
           ORDER BY vence_em LIMIT %(limite)s FOR UPDATE SKIP LOCKED
        )
        UPDATE compras c SET dono = %(dono)s, vence_em = {_VENCE} FROM vencida WHERE c.pedido_id = vencida.pedido_id
        RETURNING {COMPRA}"""

# Failed attempts are kept for a day, for whoever asks why.
LIMPAR = """DELETE FROM compras WHERE pedido_id IN (
         SELECT pedido_id FROM compras
          WHERE NOT com_chave AND etapa = 'FALHOU' AND criado_em < now() - interval '1 day' LIMIT 5000)
       RETURNING 1"""
