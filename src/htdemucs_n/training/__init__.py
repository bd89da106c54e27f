"""Training: stems in, weights out. Knows nothing of the command line.

config     the sections of conf/n_train.yaml, checked
bank       folders of stems, decoded once, int16 in memory
batches    crops and remixes drawn from the bank, one reproducible batch a step
augment    what changes a crop: speed, gain, swap, sign, silence
loss       L1 on waveforms, multi-resolution spectral term
ema        averaged weights
checkpoint everything a run needs to go on exactly
average    the mean of several checkpoints
calibrate  batch-norm statistics of songs as they are
validate   SDR on held-out songs
curve      the run's numbers as CSV, picture and tensorboard
solver     the loop
"""
