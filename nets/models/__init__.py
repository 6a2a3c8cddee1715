"""The networks as torch modules, built as levels of `mgcore`.

Names and configurations are read in `nets.naming`; training is in `nets.training`.
"""
