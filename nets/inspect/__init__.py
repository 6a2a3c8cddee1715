"""Inspection of a network: layers, shapes, multiply-adds, memory, traces of a pass.

Pictures of it are in `nets.plot`.
"""
