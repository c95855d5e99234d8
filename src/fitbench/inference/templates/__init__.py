"""The files beside an exported model. `predict.py` needs only the runtime of the model, not fitbench.

The export replaces the import of `runtime_onnx` in predict.py by the code of the format's runtime.
"""
