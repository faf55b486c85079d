"""What carries cells to where they are trained: this process, or worker processes beside it.

An engine is handed jobs, asks before it begins one whether it may (`take`), and hands back one
outcome for each (`done`). It never sees the store, so that only the driver writes to it.
"""
