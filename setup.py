"""The compiled scan of listings (docs/decisions/compiled.md); all else is in pyproject.toml.

It is optional: where it cannot be built the installation succeeds, and listings are made in Python. Built against the
stable ABI of CPython 3.11, so that one wheel serves all later versions; interpreters without the lock have none.
"""

import os
import sys
import sysconfig

from setuptools import Extension, setup

stable = not sysconfig.get_config_var("Py_GIL_DISABLED")
extension = Extension(
    "homeport.storage._lines",
    ["src/homeport/storage/_lines.c"],
    depends=["src/homeport/storage/_text.h", "src/homeport/storage/_token.h"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if stable else [],
    extra_compile_args=["-std=c11", "-Wall", "-Wextra"],
    py_limited_api=stable,
    optional=True,
)
built = os.name == "posix" and sys.implementation.name == "cpython"

setup(
    ext_modules=[extension] if built else [],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if built and stable else {},
)
