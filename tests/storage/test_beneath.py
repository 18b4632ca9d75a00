"""Attacks on the wall around the root: spellings, links, races; through openat2, through the walk, and by path."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.calls import Failing, instead

from homeport.protocol.path import PathError, VirtualPath
from homeport.storage import beneath, linux
from homeport.storage.base import Access, StorageError
from homeport.storage.beneath import OBJECT, PASS, READ, DescriptorRoot, Root
from homeport.storage.bypath import PathRoot
from homeport.storage.foreign import Foreign
from homeport.storage.linux import How, has_openat2
from homeport.storage.local import LocalStorage

SECRET = b"outside of the root"
ROUNDS = 3000
"""Attempts of one race."""
RACES = 20
"""So many may be won without the wall: on a busy machine the other side hardly runs in some of them."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with something to steal beside it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(SECRET)
    root = tmp_path / "root"
    (root / "d" / "e").mkdir(parents=True)
    (root / "d" / "file").write_bytes(b"inside")
    (root / "file").write_bytes(b"inside")
    return root


@pytest.fixture(params=["openat2", "openat2 by ctypes", "walk"])
def wall(request: pytest.FixtureRequest, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DescriptorRoot]:
    if request.param == "openat2 by ctypes":
        monkeypatch.setattr(linux, "_calls", Foreign())
    root = DescriptorRoot(bytes(tree), kernel=request.param != "walk")
    yield root
    root.close()


@pytest.fixture(params=["openat2", "openat2 by ctypes", "walk", "by path"])
def any_wall(request: pytest.FixtureRequest, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    root: Root
    if request.param == "by path":
        root = PathRoot(bytes(tree))
    else:
        if request.param == "openat2 by ctypes":
            monkeypatch.setattr(linux, "_calls", Foreign())
        root = DescriptorRoot(bytes(tree), kernel=request.param != "walk")
    yield root
    root.close()


def read(root: Root, path: bytes) -> bytes:
    descriptor = root.open(path, READ)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def refused(root: Root, path: bytes) -> int:
    """The errno with which *path* is refused in each way to open it."""
    numbers = set()
    for how in (READ, OBJECT):
        with pytest.raises(OSError) as caught:
            os.close(root.open(path, how))
        numbers.add(caught.value.errno)
    with pytest.raises(OSError) as caught:
        root.status(path)
    numbers.add(caught.value.errno)
    assert len(numbers) == 1, numbers
    return numbers.pop() or 0


class TestSpellings:
    @pytest.mark.parametrize("path", [b"..", b"../outside/file", b"d/../../outside/file", b"d/e/../../../outside/file"])
    def test_up(self, any_wall: Root, path: bytes) -> None:
        assert refused(any_wall, path) == errno.EACCES

    @pytest.mark.parametrize("path", [b"file", b"./file", b"d/./../file", b"d//file", b"d/e/../file"])
    def test_inside(self, wall: Root, path: bytes) -> None:
        assert read(wall, path) == b"inside"

    def test_absolute(self, wall: Root, tree: Path) -> None:
        with pytest.raises(OSError):
            os.close(wall.open(bytes(tree.parent / "outside" / "file"), READ))

    def test_a_nul_does_not_cut_a_path(self, wall: Root) -> None:
        with pytest.raises((OSError, ValueError)):
            wall.open(b"file\0/../../outside", READ)

    @pytest.mark.parametrize("path", [b"file/", b"file/.", b"file/below", b"link/"])
    def test_a_file_is_no_directory(self, wall: Root, tree: Path, path: bytes) -> None:
        (tree / "link").symlink_to("file/")
        with pytest.raises(NotADirectoryError):
            wall.open(path, READ)

    def test_the_root_itself(self, any_wall: Root, tree: Path) -> None:
        status, link = any_wall.status(b".")
        assert (status.st_ino, link) == (os.stat(tree).st_ino, None)

    def test_too_long(self, any_wall: Root) -> None:
        assert refused(any_wall, b"x" * 256) == errno.ENAMETOOLONG

    def test_a_deep_path_takes_few_descriptors(self, wall: DescriptorRoot, tree: Path) -> None:
        depth = 300
        deepest = tree.joinpath(*["x"] * depth)
        deepest.mkdir(parents=True)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, hard))
        try:
            opened = wall.open(b"/".join([b"x"] * depth), PASS)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert os.fstat(opened).st_ino == deepest.stat().st_ino
        os.close(opened)

    def test_very_many_ways_up_end(self, tree: Path) -> None:
        root = DescriptorRoot(bytes(tree), kernel=False)
        with pytest.raises(OSError) as caught:
            root.open(b"/".join([b"d/e"] + [b"../e"] * 30_000), READ)
        assert caught.value.errno == errno.ELOOP
        root.close()


LINKS_INSIDE = {
    "plain": "file",
    "down": "d/file",
    "dot": "./d/./file",
    "d/up": "../file",
    "d/e/upup": "../../d/file",
    "directory": "d",
    "through": "directory/file",
    "back": "directory/e/../file",  # ".." behind a link is that of the directory the link leads to
    "deep": "d/e/upup",
}
LINKS_OUT = {
    "up": "../outside/file",
    "d/upup": "../../outside/file",
    "etc": "/etc/passwd",
    "slash": "/",
    "slashes": "///etc//passwd",
    "dots": "/..",
    "around": "../root/file",
    "beyond": "d/../../outside/file",
    "chain": "up",
    "self-root": "/proc/self/root/etc/passwd",
    "self-cwd": "/proc/self/cwd",
    "d/e/far": "../../../../../../../../../../../../etc/passwd",
}


class TestLinks:
    @pytest.mark.parametrize("name", sorted(LINKS_INSIDE))
    def test_inside(self, any_wall: Root, tree: Path, name: str) -> None:
        for link, target in LINKS_INSIDE.items():
            (tree / link).symlink_to(target)
        path = os.fsencode(name)
        if name == "directory":
            path += b"/file"
        assert read(any_wall, path) == b"inside"
        status, text = any_wall.status(os.fsencode(name))
        assert text == os.fsencode(LINKS_INSIDE[name])
        assert not stat.S_ISLNK(status.st_mode)
        place = any_wall.locate(path, follow=True)
        place.directory.close()
        assert place.status is not None
        assert place.status.is_file

    @pytest.mark.parametrize("name", sorted(LINKS_OUT))
    def test_out(self, any_wall: Root, tree: Path, name: str) -> None:
        if name == "around" and isinstance(any_wall, PathRoot):
            return  # what comes back is inside, for who only looks at where it ends
        for link, target in LINKS_OUT.items():
            (tree / link).symlink_to(target)
        assert refused(any_wall, os.fsencode(name)) == errno.EACCES
        with pytest.raises(OSError) as caught:
            any_wall.locate(os.fsencode(name), follow=True)
        assert caught.value.errno in (errno.EACCES, errno.EISDIR)

    @pytest.mark.parametrize("text", ["{root}/d/file", "{root}//d/./file", "{root}/d/e/../file", "{alias}/d/file"])
    def test_absolute_links_into_the_root(self, tree: Path, text: str) -> None:
        """Inside by the root's real path and by the path it was given; also when the root has been moved since."""
        alias = tree.parent / "alias"
        alias.symlink_to(tree)
        (tree / "link").symlink_to(text.format(root=tree, alias=alias))
        (tree / "below").symlink_to(text.format(root=tree, alias=alias).removesuffix("/file"))
        for kernel in (True, False):
            root = DescriptorRoot(bytes(alias), kernel=kernel)
            assert read(root, b"link") == b"inside"
            assert read(root, b"below/file") == b"inside"
            assert root.status(b"link")[0].st_size == 6
            root.close()

    @pytest.mark.parametrize(
        "text", ["{root}/../outside/file", "{root}x/file", "{root}/d/../../outside/file", "{root}/.."]
    )
    def test_absolute_links_that_only_look_like_it(self, any_wall: Root, tree: Path, text: str) -> None:
        shutil.copytree(tree.parent / "outside", str(tree) + "x")
        (tree / "link").symlink_to(text.format(root=tree))
        assert refused(any_wall, b"link") == errno.EACCES

    def test_the_host_itself_as_root(self, tree: Path) -> None:
        (tree / "link").symlink_to(tree / "file")
        for kernel in (True, False):
            root = DescriptorRoot(b"/", kernel=kernel)
            assert read(root, os.fsencode(tree / "link")[1:]) == b"inside"
            root.close()

    def test_magic_links(self) -> None:
        """/proc as a root: the links of descriptors lead anywhere, without a text that could be judged."""
        descriptor = os.open("/etc/passwd", os.O_RDONLY)
        pipe = os.pipe()
        try:
            for kernel in (True, False):
                root = DescriptorRoot(b"/proc", kernel=kernel)
                for name in (b"self/root/etc/passwd", b"self/cwd", b"self/fd/%d" % descriptor, b"self/fd/%d" % pipe[0]):
                    with pytest.raises(OSError):
                        os.close(root.open(name, READ))
                    with pytest.raises(OSError):
                        root.status(name)
                root.close()
        finally:
            os.close(descriptor)
            os.close(pipe[0])
            os.close(pipe[1])

    def test_loops_and_long_chains(self, any_wall: Root, tree: Path) -> None:
        (tree / "loop").symlink_to("loop")
        (tree / "ping").symlink_to("pong")
        (tree / "pong").symlink_to("ping")
        (tree / "d" / "self").symlink_to("../d/self/x")
        for name in (b"loop", b"ping", b"d/self", b"loop/file"):
            with pytest.raises(OSError):
                os.close(any_wall.open(name, READ))
            with pytest.raises(OSError):
                any_wall.locate(name + b"/x", follow=True)

    def test_dangling_links(self, wall: DescriptorRoot, tree: Path) -> None:
        (tree / "dangling").symlink_to("d/nothing")
        (tree / "lost").symlink_to("nowhere/nothing")
        assert refused(wall, b"dangling") == errno.ENOENT
        place = wall.locate(b"dangling", follow=True)
        assert (place.name, place.status) == (b"nothing", None)
        place.directory.close()
        with pytest.raises(FileNotFoundError):
            wall.locate(b"lost", follow=True)

    def test_a_link_that_is_not_followed(self, wall: DescriptorRoot, tree: Path) -> None:
        (tree / "up").symlink_to("../outside/file")
        place = wall.locate(b"up", follow=False)
        place.directory.close()
        assert place.status is not None
        assert place.status.is_link


class TestKernel:
    def test_the_kernel_that_is_not_sure_is_asked_again(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        root = DescriptorRoot(bytes(tree), kernel=True)
        kernel = Failing(errno.EAGAIN, 4, linux._calls.openat2)
        instead(monkeypatch, openat2=kernel)
        assert read(root, b"d/file") == b"inside"
        assert kernel.asked == 5
        root.close()

    def test_the_kernel_that_is_never_sure_is_not_asked_for_ever(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = DescriptorRoot(bytes(tree), kernel=True)
        kernel = Failing(errno.EAGAIN)
        instead(monkeypatch, openat2=kernel)
        assert read(root, b"d/file") == b"inside"
        assert 1 < kernel.asked < 100
        assert refused(root, b"../outside/file") == errno.EACCES
        root.close()

    def test_a_sandbox_without_openat2(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        kernel = Failing(errno.EPERM)
        instead(monkeypatch, openat2=kernel)
        # What an earlier test was told about this kernel must not count here, nor later what is told here.
        has_openat2.cache_clear()
        try:
            root = DescriptorRoot(bytes(tree))
            assert read(root, b"d/file") == b"inside"
            assert kernel.asked == 1
            root.close()
        finally:
            has_openat2.cache_clear()

    def test_a_single_name_is_opened_without_openat2(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tree / "link").symlink_to("d/file")
        (tree / "out").symlink_to("../outside/file")
        root = DescriptorRoot(bytes(tree), kernel=True)
        kernel = Failing(0, 0, linux._calls.openat2)
        instead(monkeypatch, openat2=kernel)
        assert read(root, b"file") == b"inside"
        assert root.status(b"file")[0].st_size == 6
        assert kernel.asked == 0
        assert read(root, b"link") == b"inside"  # it is asked about links
        assert kernel.asked == 1
        assert refused(root, b"out") == errno.EACCES
        root.close()

    def test_a_system_without_o_path(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on the BSDs and macOS: what is asked about is looked up in its directory."""
        flags = os.O_RDONLY | os.O_DIRECTORY
        monkeypatch.setattr(beneath, "_PATH", 0)
        monkeypatch.setattr(beneath, "PASS", How(flags))
        (tree / "link").symlink_to("d/file")
        (tree / "out").symlink_to("../outside/file")
        (tree / "absolute").symlink_to(tree / "d" / "file")
        root = DescriptorRoot(bytes(tree), kernel=False)
        for name, text in ((b"d/file", None), (b"link", b"d/file"), (b"absolute", bytes(tree / "d" / "file"))):
            status, link = root.status(name)
            assert (status.st_size, link) == (6, text)
            assert read(root, name) == b"inside"
        for name, error in (
            (b"out", PermissionError),
            (b"nothing", FileNotFoundError),
            (b"d/nothing", FileNotFoundError),
        ):
            with pytest.raises(error):
                root.status(name)
        root.close()

    def test_nothing_is_inherited(self, wall: DescriptorRoot) -> None:
        for how in (READ, OBJECT, PASS):
            descriptor = wall.open(b"d", how)
            assert not os.get_inheritable(descriptor)
            os.close(descriptor)

    def test_a_pipe_does_not_block(self, wall: DescriptorRoot, tree: Path) -> None:
        os.mkfifo(tree / "pipe")
        descriptor = wall.open(b"pipe", READ)
        assert stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        os.close(descriptor)


def race(swap: Callable[[], None], attack: Callable[[], None]) -> None:
    """Run *attack* many times while *swap* goes on in another process: threads would only take turns.

    It ends between two swaps, so that the next race finds the tree as this one did.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    other = os.fork()
    if other == 0:
        try:
            while not _told(reading):
                swap()
            os._exit(0)
        finally:
            os._exit(1)  # whatever went wrong, the tests go on in the parent only
    try:
        for _ in range(ROUNDS):
            attack()
    finally:
        os.write(writing, b"!")
        _, status = os.waitpid(other, 0)
        os.close(reading)
        os.close(writing)
    assert status == 0, "the other side gave up"


def _told(reading: int) -> bool:
    try:
        return bool(os.read(reading, 1))
    except BlockingIOError:
        return False


class TestRaces:
    """Somebody with a shell exchanges what is inside for links out, as fast as can be."""

    @pytest.fixture(params=["openat2", "walk"])
    def storage(
        self, request: pytest.FixtureRequest, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[LocalStorage]:
        kernel = request.param == "openat2"
        monkeypatch.setattr("homeport.storage.closed.open_root", lambda octets: DescriptorRoot(octets, kernel=kernel))
        local = LocalStorage(str(tree))
        yield local
        local.close()

    @pytest.fixture
    def swap(self, tree: Path) -> Callable[[], None]:
        """In one step each, "place" becomes a directory with a file, then a link out, and so on."""
        (tree / "place").mkdir()
        (tree / "place" / "file").write_bytes(b"inside")
        (tree / "link").symlink_to("../outside")
        (tree / "inner").symlink_to(tree / "d")

        def exchange() -> None:
            for name in ("link", "inner"):
                os.rename(tree / "place", tree / "spare")
                os.rename(tree / name, tree / "place")
                os.rename(tree / "place", tree / name)
                os.rename(tree / "spare", tree / "place")

        return exchange

    def test_the_race_is_real(self, tree: Path, swap: Callable[[], None]) -> None:
        """What the wall is for: a path that is checked and then opened leads out sooner or later."""
        lost = []

        def naive() -> None:
            with suppress(OSError):
                path = tree / "place" / "file"
                if str(path.resolve()).startswith(str(tree)) and path.read_bytes() == SECRET:
                    lost.append(path)

        for _ in range(RACES):
            race(swap, naive)
            if lost:
                break
        assert lost

    def test_reading(self, storage: LocalStorage, swap: Callable[[], None]) -> None:
        place = VirtualPath("/place/file")
        seen = set()

        def attack() -> None:
            with suppress(StorageError), storage.open_read(place) as reader:
                buffer = memoryview(bytearray(100))
                seen.add(bytes(buffer[: reader.read_into(buffer, 0)]))
            with suppress(StorageError):
                assert storage.stat(place).size == 6

        race(swap, attack)
        assert seen == {b"inside"}

    def test_writing(self, storage: LocalStorage, tree: Path, swap: Callable[[], None]) -> None:
        def attack() -> None:
            for access in Access:
                with suppress(StorageError), storage.open_write(VirtualPath(f"/place/{access.name}"), access) as writer:
                    writer.write(memoryview(b"planted"))
                    writer.commit()
            with suppress(StorageError), storage.open_write(VirtualPath("/place"), Access.REPLACE) as writer:
                writer.write(memoryview(b"planted"))

        race(swap, attack)
        assert os.listdir(tree.parent / "outside") == ["file"]
        assert (tree.parent / "outside" / "file").read_bytes() == SECRET

    def test_changing(self, storage: LocalStorage, tree: Path, swap: Callable[[], None]) -> None:
        before = os.stat(tree.parent / "outside" / "file")
        shut = os.stat(tree.parent / "outside")
        (tree / "d" / "mine").write_bytes(b"inside")

        def attack() -> None:
            place, mine = VirtualPath("/place"), VirtualPath("/d/mine")
            for call in (
                lambda: storage.set_mode(place.child("file"), 0o777),
                lambda: storage.set_mode(place, 0o711),
                lambda: storage.set_modified(place.child("file"), 0),
                lambda: storage.remove_file(place.child("other")),
                lambda: storage.make_directory(place.child("new")),
                lambda: storage.remove_directory(place.child("new")),
                lambda: storage.rename(mine, place.child("mine")),
                lambda: storage.rename(place.child("mine"), mine),
            ):
                with suppress(StorageError):
                    call()

        race(swap, attack)
        assert os.listdir(tree.parent / "outside") == ["file"]
        after = os.stat(tree.parent / "outside" / "file")
        assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
        assert os.stat(tree.parent / "outside").st_mode == shut.st_mode

    def test_the_last_name(self, storage: LocalStorage, tree: Path) -> None:
        """A file becomes a link to a file outside between any two looks at it."""
        (tree / "last").write_bytes(b"inside")
        (tree / "link").symlink_to("../outside/file")

        def swap() -> None:
            os.rename(tree / "link", tree / "last")
            (tree / "new").write_bytes(b"inside")
            os.rename(tree / "new", tree / "last")
            (tree / "link").symlink_to("../outside/file")

        last, seen = VirtualPath("/last"), set()

        def attack() -> None:
            for access, offset in ((Access.APPEND, 0), (Access.REPLACE, 3)):
                with suppress(StorageError), storage.open_write(last, access, offset) as writer:
                    writer.write(memoryview(b"planted"))
                    writer.commit()
                    with storage.open_read(last) as reader:
                        buffer = memoryview(bytearray(100))
                        seen.add(bytes(buffer[: reader.read_into(buffer, 0)])[:3])

        race(swap, attack)
        assert (tree.parent / "outside" / "file").read_bytes() == SECRET
        assert seen == {b"ins"}

    def test_a_new_directory(self, storage: LocalStorage, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A directory becomes a link out between its making and the setting of its mode. Luck would hardly hit that."""
        os.chmod(tree.parent / "outside", 0o755)
        real = os.mkdir

        def overtaken(name: bytes, mode: int, *, dir_fd: int) -> None:
            real(name, mode, dir_fd=dir_fd)
            os.rename(tree / "fresh", tree / "gone")
            (tree / "fresh").symlink_to("../outside")

        monkeypatch.setattr(os, "mkdir", overtaken)
        with pytest.raises(StorageError):
            storage.make_directory(VirtualPath("/fresh"), 0o711)
        assert stat.S_IMODE(os.stat(tree.parent / "outside").st_mode) == 0o755

    def test_listing(self, storage: LocalStorage, tree: Path, swap: Callable[[], None]) -> None:
        (tree.parent / "outside" / "private").write_bytes(b"")
        seen: set[str] = set()

        def attack() -> None:
            with suppress(StorageError):
                seen.update(entry.name for entry in storage.scan(VirtualPath("/place")))

        race(swap, attack)
        assert "file" in seen
        assert "private" not in seen

    def test_a_directory_moved_out_of_the_walk(self, storage: LocalStorage, tree: Path) -> None:
        """ ".." of a directory that is moved meanwhile: the way up must not start outside."""
        (tree / "a" / "b").mkdir(parents=True)
        (tree / "a" / "b" / "link").symlink_to("../../file")
        (tree.parent / "file").write_bytes(SECRET)

        def swap() -> None:
            os.rename(tree / "a" / "b", tree / "b")
            os.rename(tree / "b", tree / "a" / "b")

        seen = set()

        def attack() -> None:
            for name in ("/a/b/link", "/b/link"):
                with suppress(StorageError), storage.open_read(VirtualPath(name)) as reader:
                    buffer = memoryview(bytearray(100))
                    seen.add(bytes(buffer[: reader.read_into(buffer, 0)]))

        race(swap, attack)
        assert seen == {b"inside"}


NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", "..", ".", "", "outside", "file"]), min_size=1, max_size=6)


@st.composite
def links(draw: st.DrawFn) -> tuple[tuple[str, ...], str]:
    """A place for a link and its text; "ROOT" and "TOP" stand for the root and for what is above it."""
    place = tuple(draw(st.lists(NAMES, min_size=1, max_size=3)))
    text = draw(st.sampled_from(["", "", "/", "ROOT/", "TOP/"])) + "/".join(draw(TEXTS))
    return place, text or "."


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=6),
    st.lists(links(), max_size=8),
    st.lists(st.one_of(TEXTS.map("/".join), st.text("ab./\\~", max_size=12)), min_size=1, max_size=8),
)
def test_no_path_in_no_tree_leads_out(
    directories: list[list[str]], made: list[tuple[tuple[str, ...], str]], paths: list[str]
) -> None:
    """All files outside hold the secret and all inside do not, so what is read tells where it was."""
    with tempfile.TemporaryDirectory() as top:
        root = os.path.join(top, "outside", "root")
        for directory in directories:
            os.makedirs(os.path.join(root, *directory), exist_ok=True)
        os.makedirs(root, exist_ok=True)
        for inside, _, _ in os.walk(root):
            Path(inside, "file").write_bytes(b"inside")
        for above in (top, os.path.join(top, "outside")):
            for name in "abcd":
                os.makedirs(os.path.join(above, name), exist_ok=True)
                Path(above, name, "file").write_bytes(SECRET)
            Path(above, "file").write_bytes(SECRET)
        for place, text in made:
            with suppress(OSError):
                os.symlink(text.replace("ROOT", root).replace("TOP", top), os.path.join(root, *place))
        walls = [DescriptorRoot(os.fsencode(root), kernel=kernel) for kernel in (True, False)]
        storage = LocalStorage(root)
        for path in paths:
            found = [_outcome(wall, path.encode() or b".") for wall in walls]
            assert SECRET not in found
            assert found[0] == found[1]  # the kernel and the walk see the same tree
            with suppress(PathError, StorageError):
                where = VirtualPath.parse("/" + path)
                for entry in storage.scan(where.parent):
                    assert entry.size != len(SECRET)
                with storage.open_read(where) as reader:
                    assert reader.size == len(b"inside")
        storage.close()
        for wall in walls:
            wall.close()


def _outcome(root: Root, path: bytes) -> bytes | int:
    """What is read, or the inode of a directory, or 0 for any refusal."""
    try:
        descriptor = root.open(path, READ)
    except OSError:
        return 0
    try:
        status = os.fstat(descriptor)
        return os.read(descriptor, 100) if stat.S_ISREG(status.st_mode) else status.st_ino
    finally:
        os.close(descriptor)


class TestByPathOnWindows:
    @pytest.mark.parametrize(
        "name", [b"a:b", b"..\\x", b"a\\b", b"NUL", b"con.txt", b"com1", b"a.", b"a ", b"a*", b"a\x01", b"conin$"]
    )
    def test_names_that_windows_reads_as_something_else(
        self, tree: Path, name: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("homeport.storage.bypath.sys.platform", "win32")
        with pytest.raises(OSError) as caught:
            PathRoot(bytes(tree)).locate(name, follow=False)
        assert caught.value.errno == errno.EINVAL

    def test_a_root_that_is_none(self, tree: Path) -> None:
        with pytest.raises(OSError):
            PathRoot(bytes(tree / "nothing"))
        with pytest.raises(OSError):
            PathRoot(bytes(tree / "file"))
