"""The words of every Diagnosis, one function for each Cause. Start reading at `table.py`."""
