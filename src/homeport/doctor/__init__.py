"""What is wrong, found out by trying: `doctor` from inside the server's own machine, `probe` from a client's side.

May import everything below `cli` and `testing`. What a finding means is said by `advice`; here it is found. To read
the probe, start at `probe.py` (the whole of it) and `survey.py` (what comes of it); to read the doctor, start at
`examination.py` and then any module of `checks/`.
"""
