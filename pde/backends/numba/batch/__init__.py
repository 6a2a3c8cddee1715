"""Many right-hand sides on one small grid: LANES members side by side in each vector, and a group of them per thread.

`backend` decides which batches are solved so, `tables` packs the levels and `runner` plans the cycles. `execute` is the
compiled call, with the arithmetic in `stencil`, `transfers` and `coarsest`; `iteration` is the solve of one batch.
"""
