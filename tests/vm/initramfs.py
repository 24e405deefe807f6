"""Builds an initramfs (cpio "newc") in memory, so that owners, modes and device nodes need no privilege."""

import os
import pathlib
import re
import stat
import subprocess


class Initramfs:
    def __init__(self):
        self._entries = {}  # path inside, without leading slash -> (mode, rdev, bytes)
        self.add_directory("")

    def add_directory(self, path, mode=0o755):
        path = path.strip("/")
        if path in self._entries:
            return
        if path:
            self.add_directory(os.path.dirname(path))
        self._entries[path] = (stat.S_IFDIR | mode, (0, 0), b"")

    def add_file(self, path, content, mode=0o644):
        path = path.strip("/")
        self.add_directory(os.path.dirname(path))
        self._entries[path] = (stat.S_IFREG | mode, (0, 0), content)

    def add_device(self, path, major, minor, mode=0o600):
        self.add_directory(os.path.dirname(path.strip("/")))
        self._entries[path.strip("/")] = (stat.S_IFCHR | mode, (major, minor), b"")

    def add_host_path(self, path):
        """Adds a file of the host at its own path, with every symlink on the way, its mode kept and root as owner;
        the shared libraries of a program come along. Directories are added with all they hold."""
        walked = pathlib.PurePosixPath("/")
        remaining = [part for part in pathlib.PurePosixPath(path).parts if part != "/"]
        links = 0
        while remaining:
            walked = walked / remaining.pop(0)
            if walked.name == "..":
                walked = walked.parent.parent
                continue
            info = os.lstat(walked)
            inside = str(walked).lstrip("/")
            if stat.S_ISLNK(info.st_mode):
                links += 1
                if links > 40:
                    raise OSError(f"{path}: too many links")
                target = os.readlink(walked)
                self.add_directory(os.path.dirname(inside))
                self._entries[inside] = (stat.S_IFLNK | 0o777, (0, 0), target.encode())
                remaining = [p for p in pathlib.PurePosixPath(target).parts if p != "/"] + remaining
                walked = pathlib.PurePosixPath("/") if target.startswith("/") else walked.parent
            elif stat.S_ISDIR(info.st_mode):
                self.add_directory(inside)
                if not remaining:
                    for name in sorted(os.listdir(walked)):
                        self.add_host_path(str(walked / name))
            elif stat.S_ISREG(info.st_mode):
                if inside not in self._entries:
                    content = pathlib.Path(walked).read_bytes()
                    self.add_file(inside, content, stat.S_IMODE(info.st_mode))
                    if content.startswith(b"\x7fELF"):
                        for library in shared_libraries(str(walked)):
                            self.add_host_path(library)
            else:
                raise OSError(f"{walked}: neither a file, a directory nor a link")

    def write(self, path):
        with open(path, "wb") as out:
            for number, name in enumerate(sorted(self._entries), start=1):
                mode, rdev, content = self._entries[name]
                self._member(out, number, name or ".", mode, rdev, content)
            self._member(out, 0, "TRAILER!!!", 0, (0, 0), b"")

    @staticmethod
    def _member(out, number, name, mode, rdev, content):
        encoded = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, rdev[0], rdev[1], len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        out.write(header + encoded + b"\0" * (-(len(header) + len(encoded)) % 4))
        out.write(content + b"\0" * (-len(content) % 4))


def shared_libraries(program):
    """Paths of the shared libraries and the loader of a program; empty for a static one."""
    listed = subprocess.run(["ldd", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    missing = re.findall(r"^\s*(\S+) => not found", listed.stdout, re.M)
    if missing:
        raise OSError(f"{program} needs {', '.join(missing)}, which this host does not have")
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listed.stdout, re.M)
