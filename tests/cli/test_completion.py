"""What a shell gets from `htdemucs-n` when the tab key is pressed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def completed(line: str) -> list[str]:
    """The completions of the last word of `line`, as the script for bash asks for them."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_HTDEMUCS_N_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    program = "import sys; from htdemucs_n.cli.main import main; sys.argv[0] = 'htdemucs-n'; main()"
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("htdemucs-n sep", ["separate"]),
        ("htdemucs-n separate --drum-", ["--drum-kit"]),
        ("htdemucs-n separate -n b", ["bands"]),
        ("htdemucs-n separate -n bands,sm", ["bands,small"]),
        ("htdemucs-n separate -n songs/", []),  # the shell completes files
        ("htdemucs-n separate --engine o", ["onnx", "openvino"]),
        ("htdemucs-n separate --format m", ["mp3", "m4a"]),
        ("htdemucs-n separate --stems drums,v", ["drums,vocals"]),
        ("htdemucs-n separate --two-stems b", ["bass"]),
    ],
)
def test_verbs_options_and_values(line: str, words: list[str]) -> None:
    assert completed(line) == words
