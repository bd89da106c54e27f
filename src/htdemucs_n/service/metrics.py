"""What Prometheus reads of a service."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """The counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "htdemucs_n_http_requests", "Requests by method, route and status.", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self.refused = Counter(
            "htdemucs_n_http_refused", "Requests that were refused before they were looked at, by reason.", ["reason"],
            registry=self._registry,
        )  # fmt: skip
        self.finished = Counter(
            "htdemucs_n_jobs_finished", "Jobs by the state that they ended in.", ["state"], registry=self._registry
        )
        self.audio = Counter("htdemucs_n_audio_seconds", "Seconds of songs separated.", registry=self._registry)
        self.elapsed = Histogram(
            "htdemucs_n_separation_seconds", "Seconds that separations took.", buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Add a value that is read whenever the metrics are."""
        Gauge(name, meaning, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
