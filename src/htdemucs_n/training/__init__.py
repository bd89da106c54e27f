"""Training: stems in, weights out. Independent of the command line.

config     the sections of conf/n_train.yaml, checked; `limits` holds what their numbers may be
bank       folders of stems, decoded once, int16 in memory
batches    crops and remixes drawn from the bank, one reproducible batch a step
partial    songs of which only some stems are known
distill    songs without stems, separated by a teacher
augment    changes of a crop: speed, pitch, equaliser, gain, polarity, swapped channels, silence, limiter
loss       distance between the known stems and the estimates; `distances` holds its kinds
step       one optimiser step, with the optimisers of `optimizers`
ema        averaged weights
checkpoint everything a run needs to go on exactly
average    the mean of several checkpoints
calibrate  batch-norm statistics of songs as they are
validate   SDR on held-out songs
curve      the run's numbers as CSV, picture and tensorboard
solver     the loop
"""
