"""Where files live. A Storage is a tree of files and directories, addressed by VirtualPath.

Storage does not know FTP: it may import `homeport.protocol.path` and nothing else of Homeport.
Start reading at `base.py`, the contract; `local.py` keeps it on disk, `memory.py` in memory.
"""
