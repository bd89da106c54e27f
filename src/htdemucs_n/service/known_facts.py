"""The facts of the songs of a library, which are found when they are asked for, and kept."""

from __future__ import annotations

from pathlib import Path

from htdemucs_n.errors import require_packages
from htdemucs_n.files import write_whole
from htdemucs_n.service.facts import Facts
from htdemucs_n.service.library import Library, NoSuchJob
from htdemucs_n.service.renderings import Renderings

_FILE = "facts.json"


class KnownFacts:
    """The facts of the songs of a library, which are found once for each job."""

    def __init__(self, library: Library, renderings: Renderings) -> None:
        self._library, self._renderings = library, renderings

    def of(self, job: str) -> Facts:
        """The facts of a finished job.

        Raises:
            NoSuchJob: there are no results.
            UserError: librosa is not installed, or a file cannot be read.
        """
        found = self._library.job(job)
        if not found.files:
            raise NoSuchJob("the job has no results yet")
        require_packages("the tempo and the key of a song", "studio", "librosa", "mido")
        stems = {name: self._library.stems(found) / file for name, file in found.files.items()}

        def make(folder: Path) -> None:
            from htdemucs_n.service.analysis import find_facts  # librosa loads for seconds

            write_whole(folder / _FILE, find_facts(stems).model_dump_json())

        return Facts.model_validate_json((self._renderings.folder(job, _FILE, make) / _FILE).read_bytes())
