"""The queue of a service: one thread that separates the waiting jobs of the library, one after the other."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

from htdemucs_n.errors import Cancelled, OptionError, UserError
from htdemucs_n.separation import Output, Separator, StemChoice, separate_track
from htdemucs_n.separation.drum_kit import DRUMS, is_part, plain_name
from htdemucs_n.separation.separator import Progress
from htdemucs_n.separation.stem_file import file_names
from htdemucs_n.separation.track import Outcome
from htdemucs_n.service.job import Job, Options
from htdemucs_n.service.library import Library, NoSuchJob, check_room, without_path
from htdemucs_n.service.metrics import Metrics
from htdemucs_n.service.separators import Separators
from htdemucs_n.service.settings import Limits

log = logging.getLogger(__name__)


class QueueFull(UserError):
    """As many jobs wait as may wait."""


class JobRunning(UserError):
    """What was asked for cannot be done while the job runs."""


class Queue:
    """Separates the jobs of `library`; the jobs that wait in it already come first."""

    def __init__(self, library: Library, separators: Separators, limits: Limits, metrics: Metrics) -> None:
        self._library, self._separators, self._limits, self._metrics = library, separators, limits, metrics
        self._waiting = deque(job.id for job in library.jobs() if job.state == "queued")
        self._changed = threading.Condition()
        self._cancel = threading.Event()
        self._running: str | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="separation", daemon=True)

    def start(self) -> None:
        """Begin with the first job."""
        self._thread.start()

    def close(self) -> None:
        """Stop at the next segment; what was running waits again, in the library."""
        with self._changed:
            self._stopping = True
            self._cancel.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_working(self) -> bool:
        """Whether jobs are being taken."""
        return self._thread.is_alive() and not self._stopping

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting)

    def check(self, options: Options, model: str, engine: str) -> None:
        """Raise `UserError` for options that there are not, or `QueueFull` where no more jobs may wait."""
        self._separators.check(model, engine, options.drum_kit)
        if options.two_stems is not None and is_part(options.two_stems):
            raise OptionError(
                f"two_stems cannot be '{options.two_stems}', a part of the drums: leave it out, and give drum_kit, "
                "which writes all parts"
            )
        Output(options.format, options.depth, options.bitrate)
        # The stems of another model are not known before it is loaded.
        if model == self._separators.model and not options.drum_kit:
            _output(options, self._separators.default)
        if len(self) >= self._limits.queue:
            raise QueueFull(f"{self._limits.queue} jobs are waiting, which is the limit: submit it later")

    def add(self, job: Job) -> None:
        """Let a job wait."""
        with self._changed:
            self._waiting.append(job.id)
            self._changed.notify_all()

    def cancel(self, name: str) -> Job:
        """Take a waiting job out of the queue, or stop a running one at its next segment; others stay as they are."""
        with self._changed:
            if name in self._waiting:
                self._waiting.remove(name)
                self._metrics.finished.labels("cancelled").inc()
                return self._library.change(name, state="cancelled")
            if name == self._running:
                self._cancel.set()
        return self._library.job(name)

    def delete(self, name: str) -> None:
        """Delete a job. Raises `JobRunning` where it is being separated."""
        with self._changed:
            if name == self._running:
                raise JobRunning("the job is running: cancel it first, and delete it when it has stopped")
            if name in self._waiting:
                self._waiting.remove(name)
            self._library.delete(name)

    def _work(self) -> None:
        while (name := self._next()) is not None:
            try:
                self._separate(self._library.change(name, state="running", progress=0.0, error=None))
            except NoSuchJob:  # deleted while it waited
                continue
            except Exception:
                log.exception("a job could not be finished", extra={"job": name})

    def _next(self) -> str | None:
        """The next job; waits for one. None where the queue is to stop."""
        with self._changed:
            self._running = None
            while not self._waiting and not self._stopping:
                self._changed.wait()
            if self._stopping:
                return None
            self._running = self._waiting.popleft()
            self._cancel.clear()
            return self._running

    def _separate(self, job: Job) -> None:
        """Separate a running job and write what became of it."""
        too_long = threading.Event()

        def watch(separator: Separator, done: int, total: int) -> None:
            self._library.show_progress(job.id, min(1.0, done / total) if total else 0.0)
            if done * separator.segment_seconds > self._limits.seconds + separator.segment_seconds:
                too_long.set()  # its header said less, or nothing
                self._cancel.set()

        try:
            check_room(self._library, self._limits.library)
            separator = self._separators.get(job.model, job.engine, job.options.drum_kit)
            outcome, files = self._written(job, separator, partial(watch, separator))
        except Cancelled:
            if too_long.is_set():
                self._fail(job, f"it is longer than {self._limits.seconds / 60:g} minutes, which is the limit")
            elif self._stopping:
                shutil.rmtree(self._library.stems(job), ignore_errors=True)
                self._library.change(job.id, state="queued", progress=0.0)
            else:
                self._end(job, "cancelled")
        except UserError as error:
            self._fail(job, without_path(error, self._library.song(job), job.name))
        except Exception:
            log.exception("a separation failed", extra={"job": job.id})
            self._fail(job, "an error of the program: its log has it")
        else:
            names = {plain_name(stem): path.name for stem, path in files.items()}
            self._metrics.audio.inc(outcome.seconds)
            self._metrics.elapsed.observe(outcome.elapsed)
            self._end(job, "done", files=names, notes=outcome.notes, seconds=outcome.seconds, progress=1.0)

    def _written(self, job: Job, separator: Separator, progress: Progress) -> tuple[Outcome, dict[str, Path]]:
        output, choice, names = _output(job.options, separator)
        folder = self._library.stems(job)
        files = {name: folder / f"{plain_name(name)}.{job.options.format}" for name in names}
        song = self._library.song(job)
        return separate_track(song, files, separator, choice, output, progress, self._cancel), files

    def _fail(self, job: Job, reason: str) -> None:
        self._end(job, "failed", error=reason)

    def _end(self, job: Job, state: str, **values: Any) -> None:
        if state != "done":
            shutil.rmtree(self._library.stems(job), ignore_errors=True)
        self._library.change(job.id, state=state, **values)
        self._metrics.finished.labels(state).inc()
        log.info("a job ended", extra={"job": job.id, "state": state, "error": values.get("error")})


def _output(options: Options, separator: Separator) -> tuple[Output, StemChoice, tuple[str, ...]]:
    """How stems are written, which, and the names of their files. Raises `UserError` for what there is not."""
    output = Output(options.format, options.depth, options.bitrate)
    stems = None
    if options.drum_kit:  # the parts in place of the drums, as the first lanes of the player
        stems = sorted((name for name in separator.sources if name != DRUMS), key=is_part, reverse=True)
    choice = StemChoice(separator.sources, stems, options.two_stems)
    return output, choice, file_names(output.format, choice)
