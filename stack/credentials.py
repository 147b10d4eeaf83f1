"""Passwords and keys of one mesh: made once, kept beside its data, readable by their owner alone."""

import json
import secrets
from collections.abc import Mapping

from stack.home import Home, HomeError, read_json, write_atomically

# Bytes, written in hexadecimal on purpose: they stand in URLs and SQL without quoting.
LENGTHS = {
    "postgres": 24,  # the superuser of both servers, used by the stack alone
    "replicator": 24,
    "catalogo_owner": 24,
    "catalogo_app": 24,
    "pedidos_owner": 24,
    "pedidos_app": 24,
    "catalogo_page_token_key": 32,
    "pedidos_page_token_key": 32,
}


def load(home: Home, *, has_data: bool) -> Mapping[str, str]:
    """The secrets of a mesh, made if they do not exist. Raises HomeError when they are lost and data needs them."""
    found = {str(name): str(value) for name, value in read_json(home.secrets).items()}
    if not found and has_data:
        raise HomeError(
            f"{home.secrets} is missing or damaged and the databases need it: restore it, or {home.command('reset')}"
        )
    if LENGTHS.keys() <= found.keys():
        return found
    made = {name: secrets.token_hex(length) for name, length in LENGTHS.items()} | found
    write_atomically(home.secrets, json.dumps(made, indent=1), 0o600)
    return made
