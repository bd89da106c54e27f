"""Export: a network as a file that runs without PyTorch."""
