"""The house, from the code's own imports: who may import whom, and which few modules may do what is dangerous."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src/homeport"
TOOLS = Path(__file__).parent.parent / "tools"

RANKS = {
    "compiled": 0,
    "protocol": 0,
    "storage": 1,
    "accounts": 1,
    "net": 1,
    "events": 1,
    "advice": 1,
    "data": 2,
    "session": 3,
    "admin": 4,
    "server": 5,
    "doctor": 6,
    "": 7,  # homeport/__init__.py: the public names
    "cli": 8,
    "testing": 8,
}
"""A module imports from lower ranks or from its own package, never sideways."""

ADAPTERS = (
    "storage.objects",
    "accounts.pam",
    "accounts.ldap",
    "net.acme",
    "net.upnp",
    "net.pcp",
    "events.hooks",
    "events.metrics",
    "admin",
)
"""Leaves that can be deleted: only server.build imports them, and only when they are asked for."""

DANGERS: dict[str, set[str]] = {
    "socket": {
        "cli.running",  # what a signal rings
        "data.channel",
        "data.kernelstream",
        "data.stream",
        "data.tlsstream",
        "data.waker",
        "doctor.client",
        "doctor.data",
        "doctor.machine",
        "doctor.target",
        "doctor.trials",
        "net.acceptor",
        "net.background",
        "net.ending",
        "net.exchange",
        "net.external",
        "net.gateway",
        "net.interfaces",
        "net.kernel",
        "net.tls",
        "net.listener",
        "net.mapping",
        "net.responder",
        "server.admission",
        "server.asking",
        "server.build",
        "server.certificates",
        "server.console",
        "server.crew",
        "server.door",
        "server.introduced",
        "server.listening",
        "server.operation",
        "server.packets",
        "server.premises",
        "server.reception",
        "server.sessions",
        "server.worker",
        "server.workers",
        "session.control",
        "session.conversation",
        "testing.channel",
        "testing.client",
        "testing.protected",
    },
    "ssl": {
        "data.kernelstream",
        "data.tlsstream",
        "doctor.client",
        "doctor.data",
        "doctor.security",
        "doctor.visit",
        "net.certificates",
        "net.kernel",
        "net.layer",
        "net.negotiation",
        "net.responder",
        "net.tls",
        "session.secured",
        "testing.channel",
        "testing.client",
        "testing.protected",
    },
    "ctypes": {"storage.foreign"},
    "subprocess": {"doctor.machine", "server.crew"},
    "thread": {
        "cli.running",
        "net.background",
        "doctor.target",
        "net.responder",
        "server.deputy",  # looks on while the lobby works
        "server.loop",
        "server.operation",
        "server.supervisor",
        "server.threads",
        "server.worker",
        "testing.storage_contract.creating",
        "testing.storage_contract.uploads",
    },
    "files": {
        "accounts.database",
        "cli.state",
        "doctor.machine",
        "events.logfile",
        "net.certificates",
        "net.gateway",
        "net.renewal",
        "net.snapshot",
        "net.wholefile",
        "server.build",
        "server.console",
        "server.crew",
        "server.door",
        "server.load",
        "storage.beneath",
        "storage.bypath",
        "storage.entries",
        "storage.local",
        "storage.own",
        "storage.partials",
        "storage.upload",
        "storage.writer",
    },
}
"""Exactly these modules import `socket`, `ssl`, `ctypes` or `subprocess`, start threads, or open and change files by
name. Nothing of a client's may reach a file but through `storage`."""

_IMPORTS = {
    "socket": "socket",
    "ssl": "ssl",
    "ctypes": "ctypes",
    "subprocess": "subprocess",
    "multiprocessing": "subprocess",
    "concurrent": "thread",
    "_thread": "thread",
    "tempfile": "files",
    "shutil": "files",
}
_CALLS = {
    "threading": dict.fromkeys(("Thread", "Timer"), "thread"),
    "os": dict.fromkeys(
        [
            "chmod",
            "chown",
            "lchown",
            "link",
            "listdir",
            "makedirs",
            "mkdir",
            "mkfifo",
            "mknod",
            "open",
            "remove",
            "removedirs",
            "rename",
            "renames",
            "replace",
            "rmdir",
            "scandir",
            "symlink",
            "truncate",
            "unlink",
            "utime",
            "walk",
            "fwalk",
        ],
        "files",
    )
    | dict.fromkeys(("system", "popen", "fork", "execv", "execve", "posix_spawn", "spawnv"), "subprocess"),
    "io": {"open": "files", "FileIO": "files"},
}
_METHODS = dict.fromkeys(("read_text", "write_text", "read_bytes", "write_bytes"), "files")


@dataclass(frozen=True)
class Import:
    target: str
    """Relative to homeport: "storage.base", "protocol.reply.Reply"; "" is homeport itself."""
    lazy: bool
    """Within a function."""


def modules() -> dict[str, Path]:
    """Every module of the package by its name relative to homeport; a package by its own name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(source: str, module: str, *, package: bool = False) -> Iterator[Import]:
    """What *module* imports of Homeport, relative imports resolved."""
    tree = ast.parse(source)
    lazy = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = ["homeport", *(module.split(".") if module else [])]
                if not package:
                    above.pop()
                above = above[: len(above) - (node.level - 1)]
                base = ".".join([*above, *([base] if base else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "homeport" or name.startswith("homeport."):
                yield Import(name.removeprefix("homeport").removeprefix("."), id(node) in lazy)


def dangers(source: str) -> set[str]:
    """The dangerous things that the source does."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {_IMPORTS.get(alias.name.partition(".")[0], "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(_IMPORTS.get(node.module.partition(".")[0], ""))
            found |= {_CALLS.get(node.module, {}).get(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name):
                found.add(_CALLS.get(node.value.id, {}).get(node.attr, ""))
            found.add(_METHODS.get(node.attr, ""))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            found.add("files")
    return found - {""}


def misplaced(one: Import, module: str) -> bool:
    """Whether the import goes up or sideways."""
    own = module.partition(".")[0]
    if one.target == "__version__":
        return False  # a constant, and the only thing that all may take from the top
    target = one.target.partition(".")[0]
    if target not in RANKS:
        target = ""  # a public name, taken from the top
    return target != own and RANKS[target] >= RANKS[own]


def unlawful_adapter(one: Import, module: str) -> bool:
    """Whether somebody but server.build imports an adapter, or does so before it is asked for."""
    for adapter in ADAPTERS:
        within = module == adapter or module.startswith(adapter + ".")
        if (one.target == adapter or one.target.startswith(adapter + ".")) and not within:
            return module != "server.build" or not one.lazy
    return False


def all_imports() -> list[tuple[str, Import]]:
    return [
        (name, one)
        for name, path in MODULES.items()
        for one in imports(path.read_text("utf-8"), name, package=path.name == "__init__.py")
    ]


def test_every_package_has_its_rank() -> None:
    assert {name.partition(".")[0] for name in MODULES} <= RANKS.keys()


def test_nobody_imports_upwards_or_sideways() -> None:
    assert [(module, one.target) for module, one in all_imports() if misplaced(one, module)] == []


def test_adapters_are_imported_by_the_builder_only_and_lazily() -> None:
    assert [(module, one.target) for module, one in all_imports() if unlawful_adapter(one, module)] == []


def test_what_is_written_in_c_is_loaded_in_one_place_and_when_it_is_asked_for() -> None:
    users = {(module, one.lazy) for module, one in all_imports() if one.target.startswith("storage._lines")}
    # What is not lazy stands behind TYPE_CHECKING.
    assert users == {("storage.native", True), ("storage.native", False), ("storage.entries", False)}
    users = {(module, one.lazy) for module, one in all_imports() if one.target.startswith("storage._calls")}
    assert users == {("storage.native", True)}


@pytest.mark.parametrize("danger", DANGERS)
def test_only_the_named_modules_do_what_is_dangerous(danger: str) -> None:
    doing = {name for name, path in MODULES.items() if danger in dangers(path.read_text("utf-8"))}
    assert sorted(doing - DANGERS[danger]) == [], "they do it, and are not in the table"
    assert sorted(DANGERS[danger] - doing) == [], "they are in the table, and do not do it"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_and_is_not_too_long(module: str) -> None:
    source = MODULES[module].read_text("utf-8")
    assert ast.get_docstring(ast.parse(source)), "a module's head says what it is"
    lines = source.count("\n")
    assert lines <= 500


def test_tools_are_not_too_long() -> None:
    assert not [path.name for path in TOOLS.iterdir() if path.is_file() and path.read_text("utf-8").count("\n") > 500]


# -- that the checks above can fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "module", "targets"),
    [
        ("import homeport", "cli.main", [("", False)]),
        ("import homeport.storage.base", "data.x", [("storage.base", False)]),
        ("from homeport.storage import base", "data.x", [("storage.base", False)]),
        ("from ..reply import Reply", "session.verbs.tree", [("session.reply.Reply", False)]),
        ("from ...data import ports", "session.verbs.tree", [("data.ports", False)]),
        ("from . import reply", "protocol.command", [("protocol.reply", False)]),
        ("def f():\n from homeport.net import acme", "server.build", [("net.acme", True)]),
        ("import os, socket\nfrom homeporter import x", "server.build", []),
    ],
)
def test_imports_are_seen(source: str, module: str, targets: list[tuple[str, bool]]) -> None:
    assert [(one.target, one.lazy) for one in imports(source, module)] == targets


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert [one.target for one in imports("from . import tree", "session.verbs", package=True)] == [
        "session.verbs.tree"
    ]


@pytest.mark.parametrize(
    ("target", "module", "wrong"),
    [
        ("protocol.reply", "session.dispatch", False),
        ("session.dispatch", "protocol.reply", True),
        ("storage.base", "accounts.model", True),
        ("storage.base", "storage.local", False),
        ("session.state", "session.verbs.tree", False),
        ("Server", "server.build", True),
        ("Server", "testing.plugin", False),
        ("", "testing.plugin", False),
        ("__version__", "session.verbs.about", False),
        ("testing.client", "cli.main", True),
    ],
)
def test_ranks_are_kept(target: str, module: str, wrong: bool) -> None:
    assert misplaced(Import(target, lazy=False), module) is wrong


@pytest.mark.parametrize(
    ("target", "module", "lazy", "wrong"),
    [
        ("net.acme", "server.build", True, False),
        ("net.acme", "server.build", False, True),
        ("net.acme.Client", "net.listener", True, True),
        ("admin.pages", "admin.api", False, False),
        ("admin", "cli.main", True, True),
        ("net.listener", "server.build", False, False),
    ],
)
def test_adapters_are_guarded(target: str, module: str, lazy: bool, wrong: bool) -> None:
    assert unlawful_adapter(Import(target, lazy), module) is wrong


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import socket", {"socket"}),
        ("def f():\n import ssl", {"ssl"}),
        ("from socket import socket", {"socket"}),
        ("import threading\nthreading.Lock()", set()),
        ("import threading\nthreading.Thread(target=f)", {"thread"}),
        ("from threading import Thread", {"thread"}),
        ("from concurrent.futures import ThreadPoolExecutor", {"thread"}),
        ("import os\nos.unlink(p)", {"files"}),
        ("import os\nremove = os.unlink", {"files"}),
        ("import os\nos.fstat(n)", set()),
        ("open(p)", {"files"}),
        ("storage.open_read(p)", set()),
        ("p.write_text(t)", {"files"}),
        ("import os\nos.system(c)", {"subprocess"}),
    ],
)
def test_dangers_are_seen(source: str, found: set[str]) -> None:
    assert dangers(source) == found
