"""`fitbench publish`: recorded runs sent to MLflow, TensorBoard or Weights & Biases. Nothing here trains."""
