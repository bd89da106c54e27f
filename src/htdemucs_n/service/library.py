"""The library of a service: a folder of songs by the hash of their content, and of jobs with their stems.

    library/version             the version of this form
    library/lock                held while a service uses the library
    library/songs/SHA-256       the file of a song, once for all its jobs
    library/jobs/ID/job.json    a job; it is there if this file is
    library/jobs/ID/stems/...   its results
    library/jobs/ID/peaks/...   their outlines, for a page
    library/jobs/ID/renderings/...  what was computed from them, as long as there is room
    library/uploads/            files that are being received

Everything appears under its name by a rename, so that the death of the process at any moment leaves whole jobs. What a
client names a song is only written inside `job.json`.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

from filelock import FileLock, Timeout
from pydantic import ValidationError

from htdemucs_n.audio import make_folder
from htdemucs_n.errors import OutputError, UserError
from htdemucs_n.files import folder_size, whole_file, write_whole
from htdemucs_n.service.job import WAITING, Job, Options, job_id
from htdemucs_n.service.peaks import outline

_VERSION = 1
_BLOCK = 2**20

log = logging.getLogger(__name__)


class NoSuchJob(UserError):
    """There is no job, or no result, of this name."""


@dataclass(frozen=True)
class Upload:
    """A file that was received and is not yet part of a job: where it lies, and the SHA-256 of its content."""

    path: Path
    digest: str


class Library:
    """The jobs of a folder. May be used from several threads.

    `on_change` is called with the id of a job that was added, changed or removed.

    Raises:
        UserError: the folder cannot be written, another service uses it, or a newer version made it.
    """

    def __init__(self, folder: Path, on_change: Callable[[str], None] = lambda _: None) -> None:
        self._folder, self._on_change = folder, on_change
        self._jobs: dict[str, Job] = {}
        self._changing = RLock()
        for name in ("songs", "jobs", "uploads"):
            make_folder(folder / name)
        self._lock = FileLock(folder / "lock", thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise UserError(f"the library '{folder}' is used by another service: stop it or choose another") from None
        try:
            self._check_version()
            self._load()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other services use the folder."""
        self._lock.release()

    def receive(self, file: BinaryIO) -> Upload:
        """Copy an open file into the library. Raises `OutputError` where that cannot be written."""
        path, digest = self._folder / "uploads" / uuid.uuid4().hex, hashlib.sha256()
        with whole_file(path) as part, part.open("wb") as copy:
            while block := file.read(_BLOCK):
                digest.update(block)
                copy.write(block)
        return Upload(path, digest.hexdigest())

    def submit(
        self, upload: Upload, name: str, options: Options, model: str, engine: str, seconds: float | None
    ) -> tuple[Job, bool]:
        """Make a job of a file that was received; also whether it has to be separated.

        It has not where the same content was submitted before with the same options, and did not fail.
        """
        with self._changing:
            known = self._jobs.get(job_id(upload.digest, options, model))
            song = self._folder / "songs" / upload.digest
            if known is not None and known.state in (*WAITING, "done"):
                upload.path.unlink(missing_ok=True)
                return known, False
            upload.path.replace(song)
            job = Job(
                id=job_id(upload.digest, options, model),
                name=name,
                song=upload.digest,
                model=model,
                engine=engine,
                options=options,
                created=time.time(),
                seconds=seconds,
            )
            return self._store(job), True

    def jobs(self) -> list[Job]:
        """All jobs, in the order in which they were submitted."""
        with self._changing:
            return sorted(self._jobs.values(), key=lambda job: job.created)

    def job(self, name: str) -> Job:
        """The job of an id. Raises `NoSuchJob` where there is none."""
        with self._changing:
            if name not in self._jobs:
                raise NoSuchJob("there is no such job: it was deleted, or the id is wrong")
            return self._jobs[name]

    def change(self, name: str, /, **values: Any) -> Job:
        """Change fields of a job, on the disk too. Raises `NoSuchJob`, or `OutputError` where it cannot be written."""
        with self._changing:
            self._jobs[name] = self.job(name).model_copy(update=values)  # also where the disk is full
            return self._store(self._jobs[name])

    def show_progress(self, name: str, progress: float) -> None:
        """Change the progress of a job, in memory only."""
        with self._changing:
            self._jobs[name] = self.job(name).model_copy(update={"progress": progress})
        self._on_change(name)

    def delete(self, name: str) -> None:
        """Remove a job with its results, and its song if no other job is of it."""
        with self._changing:
            job = self.job(name)
            (self._job_folder(name) / "job.json").unlink(missing_ok=True)
            del self._jobs[name]
            shutil.rmtree(self._job_folder(name), ignore_errors=True)
            if all(other.song != job.song for other in self._jobs.values()):
                self.song(job).unlink(missing_ok=True)
        self._on_change(name)

    def song(self, job: Job) -> Path:
        """The file of the song of a job."""
        return self._folder / "songs" / job.song

    def stems(self, job: Job) -> Path:
        """The folder for the results of a job."""
        return self._job_folder(job.id) / "stems"

    def result(self, name: str, stem: str) -> tuple[Job, Path]:
        """The file of a result of a finished job. Raises `NoSuchJob` where there is none."""
        job = self.job(name)
        if stem not in job.files:
            raise NoSuchJob(f"the job has no such result: it has {', '.join(job.files) or 'none yet'}")
        return job, self.stems(job) / job.files[stem]

    def packed(self, name: str) -> tuple[Job, Path]:
        """All results of a finished job in a new zip file, which the caller removes.

        Raises:
            UserError: there are none, or it cannot be written.
        """
        job = self.job(name)
        if not job.files:
            raise NoSuchJob("the job has no results yet")
        path = self._folder / "uploads" / uuid.uuid4().hex
        with whole_file(path) as part, zipfile.ZipFile(part, "w") as packed:
            for file in job.files.values():
                packed.write(self.stems(job) / file, file)
        return job, path

    def peaks(self, name: str, stem: str) -> bytes:
        """The outline of a result, which is computed once. Raises `NoSuchJob` where there is none."""
        job, path = self.result(name, stem)
        kept = self._job_folder(job.id) / "peaks" / stem
        if not kept.exists():
            write_whole(kept, outline(path))
        return kept.read_bytes()

    def renderings(self, name: str) -> Path:
        """The folder for what is computed from the results of a job."""
        return self._job_folder(name) / "renderings"

    def all_renderings(self, name: str = "*") -> list[Path]:
        """The folders in `renderings` of one job, or of all."""
        return [place for place in (self._folder / "jobs").glob(f"{name}/renderings/*") if place.is_dir()]

    @contextlib.contextmanager
    def new_folder(self, name: str, place: Path) -> Iterator[Path]:
        """A folder to write to, which becomes `place` when the block ends well.

        Raises:
            NoSuchJob: the job `name`, of which it is, was deleted meanwhile.
            UserError: it cannot be written.
        """
        part = self._folder / "uploads" / uuid.uuid4().hex
        make_folder(part)
        try:
            yield part
            with self._changing:
                self.job(name)
                make_folder(place.parent)
                part.rename(place)
        except OSError as error:
            raise OutputError(f"cannot write '{place}' ({error.strerror or error}): make room") from None
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def size(self) -> int:
        """Bytes of all files of the library."""
        return folder_size(self._folder)

    def _store(self, job: Job) -> Job:
        write_whole(self._job_folder(job.id) / "job.json", job.model_dump_json(indent=1) + "\n")
        self._jobs[job.id] = job
        self._on_change(job.id)
        return job

    def _job_folder(self, name: str) -> Path:
        return self._folder / "jobs" / name

    def _check_version(self) -> None:
        file = self._folder / "version"
        if not file.exists():
            write_whole(file, f"{_VERSION}\n")
        version = file.read_text(encoding="utf-8", errors="replace").strip()
        if version != str(_VERSION):
            raise UserError(
                f"the library '{self._folder}' has the form {version[:20]}, and this program reads form {_VERSION}: "
                "update it, or choose another library"
            )

    def _load(self) -> None:
        """Read all jobs; remove what a process that died has left, and let its jobs wait again."""
        for leftover in (self._folder / "uploads").iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        all_read = True
        for folder in (self._folder / "jobs").iterdir():
            file = folder / "job.json"
            if not file.exists():
                shutil.rmtree(folder)
                continue
            try:
                job = Job.model_validate_json(file.read_bytes())
            except ValidationError:
                log.warning("a job cannot be read and is left out", extra={"file": str(file)})
                all_read = False
                continue
            self._jobs[job.id] = job
            if job.state == "running":
                shutil.rmtree(self.stems(job), ignore_errors=True)
                self._store(job.model_copy(update={"state": "queued", "progress": 0.0}))
        if all_read:
            used = {job.song for job in self._jobs.values()}
            for song in (self._folder / "songs").iterdir():
                if song.name not in used:
                    song.unlink()


def without_path(error: Exception, path: Path, name: str) -> str:
    """The message of an error about a file of the library, with what the client calls it."""
    return str(error).replace(str(path), name)


def check_room(library: Library, most: int, coming: int = 0) -> None:
    """Raise `OutputError` where the library with `coming` bytes more would have more than `most` bytes."""
    if library.size() + coming > most:
        raise OutputError(f"the library is full, it may hold {most / 2**30:.1f} GiB: delete songs")
