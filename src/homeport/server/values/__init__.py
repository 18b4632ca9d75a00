"""The values of a configuration file: durations, sizes, ports, addresses, paths, passwords, rights.

Each kind has a parser from what TOML gives to what the server uses, and where it is not plain a writer back to
text; `forms.py` makes types of them. A parser raises OptionError (begin with `text.py`). Paths and passwords depend on
the file that they stand in; that is what `Origin` tells, and without one (a configuration made in a program) nothing
on the disk is asked. What a parser gives it also takes, so that a program may say `DataOptions(active_port=None)`; TOML
has no such values.
"""
