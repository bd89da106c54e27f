"""What `docs/training.md` says of the configuration; its commands and code are run by `test_pages.py`."""

from __future__ import annotations

import re
import shlex

from docs_helpers import ROOT
from htdemucs_n.cli.compose import compose_values
from htdemucs_n.training.config import TrainConfig


def test_the_keys_of_the_teacher() -> None:
    text = (ROOT / "docs/lab/band-network.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (keys,) = re.findall(r"^    (distill\.teacher=.*)$", text, re.MULTILINE)
    config = TrainConfig.from_dict(compose_values("n_train", shlex.split(keys)))
    assert (config.distill.teacher, config.distill.share) == ("spleeter-2stems", 0.25)


def test_every_section_has_its_row() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    for section in compose_values("n_train", []):
        assert re.search(rf"^\|.*`{section}`.*\|", text, re.MULTILINE), section
