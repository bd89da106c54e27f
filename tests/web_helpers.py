"""The page without a server: its modules in Node, and the page itself, built and served."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from htdemucs_n.service.web import page_server

WEB = Path(__file__).parents[1] / "web"
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")
needs_runtime = pytest.mark.skipif(
    NODE is None or not (WEB / "node_modules/onnxruntime-web/dist").is_dir(),
    reason="onnxruntime-web is not installed: run `npm ci` in web/",
)


_PRELUDE = """
import { readFileSync, writeFileSync } from "node:fs";
const read = (path, Kind = Float32Array) => new Kind(new Uint8Array(readFileSync(path)).buffer);
const bytes = (part) => Buffer.from(part.slice().buffer);
const write = (path, parts) => writeFileSync(path, Buffer.concat(parts.map(bytes)));
const [%s] = process.argv.slice(1);
"""


def node(script: str, *arguments: object) -> str:
    """What a script prints. It may import modules of `web/` by their paths from there.

    Its arguments are `a0`, `a1` and so on; it can `read` and `write` files of numbers.
    """
    code = _PRELUDE % ", ".join(f"a{number}" for number in range(len(arguments))) + script
    # With threads that compile in the background, Node can hang when it ends (nodejs/node#54918).
    command = [str(NODE), "--single-threaded", "--input-type=module", "-e", code, "--", *map(str, arguments)]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def floats(path: Path, *shape: int) -> np.ndarray:
    """The float32 numbers that a script wrote."""
    return np.fromfile(path, np.float32).reshape(shape)


def build(folder: Path) -> Path:
    """The page, built into a folder."""
    subprocess.run([str(NODE), "build.mjs", str(folder)], cwd=WEB, check=True, capture_output=True)
    return folder


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the page in `folder`, served as `htdemucs-n web` does."""
    with page_server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
