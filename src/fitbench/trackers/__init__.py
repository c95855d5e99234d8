"""Places that show runs while they are trained or afterwards: TensorBoard, MLflow, Weights & Biases. No Keras here."""
