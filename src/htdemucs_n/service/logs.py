"""Logs as JSON, an object a line, on standard error."""

from __future__ import annotations

import datetime
import json
import logging
from typing import Any

_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}
"""The attributes that every record has; others were given with `extra`."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, what was given with `extra`, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        entry: dict[str, Any] = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def log_as_json(level: int) -> None:
    """Let all loggers of the process write JSON, from a `level` of `logging` up."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
