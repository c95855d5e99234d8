"""What lies beside an exported model. `predict.py` runs with the model's runtime alone; fitbench is not there."""
