"""The cost of a model: parameters, FLOPs, time, memory, and how they grow. Independent of training and scores.

profiled_model   the model to profile: by name, a preset, the official architecture
parts            the parts of a model, and a meter that follows which of them runs
cost             parameters and FLOPs by part
passes           time by part and peak memory of one pass, in a process of its own
lengths          time and memory over the length of the song
attention        time and memory over the number of tokens, linear beside softmax attention
profile          cost and time of one model in one record
measurements     all that one command measures
fresh_process    a new process to measure memory in
devices          waiting for a GPU, and its memory
records          measurements as JSON
tables, picture  measurements as tables and as a PNG
"""
