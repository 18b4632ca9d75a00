"""The command line: one module per command group. Start reading at `main.py`."""
