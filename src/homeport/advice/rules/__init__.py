"""What a firewall or router must let through, in the words of each: `openings.py` says what, the others how."""
