"""Engines: what runs a model on segments of a mixture. All take and give NumPy arrays.

engine             what an engine is
sources            what can be given as a model
choose             an engine by name, for a model
torch_engine       PyTorch: any network, on a CPU or a GPU
device             the devices and precisions of PyTorch
onnx_engine        ONNX Runtime: graphs, on a CPU
openvino_engine    OpenVINO: graphs, on a CPU, also in bfloat16
compiled_networks  what OpenVINO compiled, kept for the next start
graph              what engines for graphs have in common: all but running the graph
graph_files        the files of graphs, and their checks
graph_check        whether a graph is what its file says of it
weights_beside     whether the weights beside a graph are those that it was exported with
checksum           a checksum of large files
stft               the transforms in NumPy
user_cache         the user's cache folder
"""

import os
import sys

# Both runtimes report to a server of their makers, unless they are kept from it before their import: onnxruntime its
# sessions and errors, and `import openvino`, by this package, each start. Without the package, openvino does not.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
