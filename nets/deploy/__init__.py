"""A trained network in use: export to ONNX and TorchScript, prediction for single images.

Accuracy over a data set is in `nets.training.evaluation`.
"""
