"""Runs the whole mesh on one machine: PostgreSQL, Valkey, Envoy and the services, without Docker and without root."""
