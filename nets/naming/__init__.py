"""The papers' notation for networks, from text to configuration and back.

No torch module is made here; see `nets.models.registry`.
"""
