"""Structured logs on stdout: one JSON object a line with time, level, instance, event and the call's request id."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from chassis import context
from chassis.settings import ServiceSettings

Event = MutableMapping[str, Any]


def configure(settings: ServiceSettings) -> None:
    """Sends structlog and the standard library's loggers (grpc, asyncio, SQLAlchemy) through the same lines."""
    level = logging.getLevelName(settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        _in_context(settings.instance),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings.log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _rendering(form: str) -> list[structlog.typing.Processor]:
    if form == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), timestamp_key="time")]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _in_context(instance: str) -> structlog.typing.Processor:
    def add(_logger: Any, _name: str, event: Event) -> Event:  # noqa: ANN401  structlog hands over any logger
        event.setdefault("instance", instance)
        call = context.current()
        if call is not None:
            event.setdefault("request_id", call.id)
        return event

    return add
