"""Logging: one structured line an event, with the request or the job it belongs to.

Every line written while a job runs carries `task_id`, `task`, `attempt`, `root_id`, `queue` and, where a request
started it, `request_id` and `user_id`. Nothing else travels in the message's headers.
"""

from __future__ import annotations

import logging.config
import re
import sys
from typing import Any, Final

import structlog

SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]

# Frames without their local variables: those hold whatever the job was given.
_TRACEBACKS: Any = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

# Whoever has such a link can end somebody's newsletter, without a login: its token stays out of the log.
_TOKEN_IN_PATH: Final = re.compile(r"(/unsubscribe/)[\w:%-]+")


def logging_config(*, form: str, level: str) -> dict[str, Any]:
    """A `logging` configuration. *form* is "json" or "console", *level* a level's name."""
    renderer: list[Any] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *renderer,
                    without_tokens,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Their INFO lines say again what django-structlog says with the job's context.
            "celery.app.trace": {"level": "CRITICAL"},
            "celery.worker.strategy": {"level": "WARNING"},
            "django.server": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "stripe": {"level": "WARNING"},
        },
    }


def without_tokens(_logger: Any, _method: str, line: str) -> str:
    """A whole line, as it is to be written, without the tokens in the paths that it names, whoever wrote it."""
    return _TOKEN_IN_PATH.sub(r"\1[token]", line)


def configure(config: dict[str, Any]) -> None:
    """Set up `logging` and structlog. Called once a process, from the project's app config."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
