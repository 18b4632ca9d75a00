"""The doctor's checks: functions from a Case to Findings, each about one thing. `examination.py` lists them."""
