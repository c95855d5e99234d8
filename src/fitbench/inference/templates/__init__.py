"""The files beside an exported model. `predict.py` needs only the runtime of the model, not fitbench."""
