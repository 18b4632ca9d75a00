"""What is compiled (docs/decisions/compiled.md); all else is in pyproject.toml.

The scan of listings and some system calls are written in C, and optional: where that cannot be built the installation
succeeds, and it is done in Python. It is built against the stable ABI of CPython 3.11, so that one wheel serves all
later versions; interpreters without the lock have none.

With HOMEPORT_COMPILE in the environment (`make wheel`) the modules that every small transfer runs through are compiled
by mypyc as well. Such a wheel is for one version of Python, and a build that fails is an error.
"""

import os
import sys
import sysconfig

from setuptools import Extension, setup

HOT = {
    "accounts": ("limits", "model"),
    "data": (
        "buffers", "connection", "offer", "plan", "ports", "portrange", "readiness", "stream", "tlsstream", "transfer",
        "waker",
    ),
    "events": ("bus",),
    "net": ("layer", "listener", "tls"),
    "protocol": ("argument", "command", "grammar", "path", "reply", "telnet"),
    "server": (
        "admission", "deadlines", "deputy", "door", "epoll", "guest", "homes", "lobby", "post", "sessions", "threads",
    ),
    "session": (
        "commands", "control", "conversation", "dispatch", "exchange", "link", "protection", "secured", "services",
        "state", "stopping", "underway",
    ),
    "session/verbs": ("connection", "login", "transfer"),
    "storage": ("beneath", "entries", "errors", "linux", "local", "own", "reader", "status", "upload", "writer"),
}  # fmt: skip
"""What is compiled: what a log in and a small transfer run through, but for what mypyc cannot do (classes made from
those of the standard library, or that others extend without having been told so) or gains nothing from."""

stable = not sysconfig.get_config_var("Py_GIL_DISABLED")
wanted = bool(os.environ.get("HOMEPORT_COMPILE"))
extensions = []
if os.name == "posix" and sys.implementation.name == "cpython":
    extensions += [
        Extension(
            f"homeport.storage.{name}",
            [f"src/homeport/storage/{name}.c"],
            depends=depends,
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if stable else [],
            extra_compile_args=["-std=c11", "-Wall", "-Wextra"],
            py_limited_api=stable,
            optional=True,
        )
        for name, depends in {
            "_lines": ["src/homeport/storage/_text.h", "src/homeport/storage/_token.h"],
            "_calls": [],
        }.items()
    ]
one_for_all = bool(extensions) and stable and not wanted
if wanted and "bdist_wheel" in sys.argv:  # and not when only the metadata are asked for
    from mypyc.build import mypycify

    paths = [f"src/homeport/{folder}/{name}.py" for folder, names in HOT.items() for name in names]
    hot = mypycify(paths, opt_level="2", debug_level="0", group_name="homeport", target_dir="build/mypyc")
    for one in hot:
        # What a later compiler warns of is no reason to fail.
        one.extra_compile_args = [argument for argument in one.extra_compile_args if argument != "-Werror"]
    extensions += hot

setup(ext_modules=extensions, options={"bdist_wheel": {"py_limited_api": "cp311"}} if one_for_all else {})
