"""Planning a run and training its cells, in this process or in worker processes.

The driver (`run.py`) gives jobs to an engine. The engine asks permission before it starts a job
(`take`) and reports one outcome per job (`done`). It never sees the store, so only the driver
writes to it.
"""
