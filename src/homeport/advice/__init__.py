"""What went wrong with a connection, and how to mend it; which ports must be open, and how a firewall is told so.

Pure: values in, values and text out. No socket, no clock, no file. Imports nothing of Homeport but `protocol`. Start
reading at `attempt.py` (the facts), then `causes.py` and `diagnosis.py` (what they mean); `firewall.py` stands apart.
"""
