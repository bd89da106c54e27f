"""What a model costs: parameters, FLOPs, time, memory, and how they grow. Knows nothing of training or scores.

subjects   the model to profile: by name, a preset, the official architecture
parts      a model's parts, and a meter that knows which of them runs
cost       parameters and FLOPs by part
figures    time by part and peak memory of one pass, in a process of its own
lengths    time and memory over the length of the song
attention  time and memory over the number of tokens, linear beside softmax attention
profile    all of these in one record
memory     peak memory of a process, and fresh processes to measure it in
devices    waiting for a GPU, and its memory
machine    where and with what figures were made
records    figures as JSON
tables, picture   what the terminal and a PNG show of them
"""
