"""Engines: what runs a model on segments of a mixture. All take and give NumPy arrays.

engine        what an engine is
sources       what can be given as a model
choose        an engine by name, for a model
torch_engine  PyTorch: any network, on a CPU or a GPU
device        the devices and precisions of PyTorch
"""
