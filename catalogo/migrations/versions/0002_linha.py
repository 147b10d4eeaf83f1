"""On which timeline of the log a row was last changed: with `mudanca`, what names a moment of the catalog."""

from alembic import op

revision = "0002"
down_revision = "0001"

# Two histories that parted (a primary that went on alone, and the standby promoted meanwhile) give the same numbers to
# different transactions; the timeline tells them apart. It stands in the rows because a standby has no function that
# says which timeline it replays. 0: changed before this column was.
LINHA = """
ALTER TABLE categorias ADD COLUMN linha integer NOT NULL DEFAULT 0;
ALTER TABLE produtos ADD COLUMN linha integer NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION marcar_mudanca() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.mudanca := pg_current_xact_id()::text::bigint;
  NEW.linha := ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer;
  NEW.revisao := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE OLD.revisao + 1 END;
  RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(LINHA)


def downgrade() -> None:
    raise NotImplementedError("the ledger is not thrown away; restore a backup instead")
