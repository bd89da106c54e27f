"""Configuration of training, and the sizes of the model."""
