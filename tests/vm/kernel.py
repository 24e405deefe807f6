"""The distribution's packaged cloud kernel: downloaded and unpacked, never installed."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import time

MAX_AGE_S = 7 * 24 * 3600  # a cached kernel is used this long without asking for a newer one


class Unavailable(Exception):
    """No kernel can be had here; the text says why."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "writ" / "vm"


class Kernel:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        images = sorted(self.root.glob("boot/vmlinuz-*"))
        if len(images) != 1:
            raise Unavailable(f"{self.root} holds {len(images)} kernel images instead of one; remove that folder")
        self.image = images[0]
        self.version = self.image.name.removeprefix("vmlinuz-")
        self.modules_root = self.root / "lib" / "modules" / self.version

    def modules(self, names):
        """Paths of the modules to load, in order, dependencies first. Built-in ones are left out."""
        by_name = {_key(p.stem): p for p in self.modules_root.glob("kernel/**/*.ko")}
        builtin = {_key(pathlib.PurePath(line).stem)
                   for line in (self.modules_root / "modules.builtin").read_text().splitlines()}
        order = []

        def visit(name):
            if name in builtin or by_name.get(name) in order:
                return
            if name not in by_name:
                raise Unavailable(f"kernel {self.version} has no module '{name}'")
            found = re.search(rb"\0depends=([^\0]*)\0", by_name[name].read_bytes())
            for dependency in found.group(1).decode().split(",") if found else []:
                if dependency:
                    visit(_key(dependency))
            order.append(by_name[name])

        for name in names:
            visit(_key(name))
        return order


def _key(name):
    return name.replace("-", "_")


def _run(arguments, **options):
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, **options)


def _cached(cache):
    """Complete kernels, newest last. Unpacking ends with a rename, so what has the name is complete."""
    return sorted((p for p in cache.glob("linux-image-*") if p.is_dir()), key=lambda p: p.stat().st_mtime)


def _resolve():
    """(package, version) of the kernel that the distribution's meta package names now."""
    for tool in ("apt-cache", "apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"no {tool} here: the kernel comes as a Debian package")
    meta = ["apt-cache", "depends", "linux-image-cloud-amd64"]
    pattern = re.compile(r"Depends: (linux-image-[0-9][\w.+-]*-cloud-amd64)$", re.M)
    found = pattern.search(_run(meta).stdout)
    if not found and os.geteuid() == 0:
        _run(["apt-get", "-qq", "update"])  # package lists are often thrown away to keep an image small
        found = pattern.search(_run(meta).stdout)
    if not found:
        raise Unavailable("apt-cache knows no linux-image-cloud-amd64; run apt-get update")
    policy = _run(["apt-cache", "policy", found.group(1)]).stdout
    candidate = re.search(r"Candidate: (\S+)", policy)
    if not candidate or candidate.group(1) == "(none)":
        raise Unavailable(f"no candidate version of {found.group(1)}")
    return found.group(1), candidate.group(1)


def _fetch(cache):
    package, version = _resolve()
    target = cache / f"{package}_{version.replace(':', '%3a')}"
    if target.is_dir():
        os.utime(target)
        return target
    scratch = cache / f"unpacking-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        got = _run(["apt-get", "-qq", "download", f"{package}={version}"], cwd=scratch)
        packages = list(scratch.glob("*.deb"))
        if got.returncode != 0 or len(packages) != 1:
            raise Unavailable(f"apt-get download {package}={version}: {got.stderr.strip()[-300:]}")
        unpacked = _run(["dpkg-deb", "-x", packages[0].name, "tree"], cwd=scratch)
        if unpacked.returncode != 0:
            raise Unavailable(f"dpkg-deb -x {packages[0].name}: {unpacked.stderr.strip()[-300:]}")
        os.rename(scratch / "tree", target)
        os.utime(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def get():
    """A Kernel from the cache, fetched when there is none or the newest is old. Raises Unavailable."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = _cached(cache)
        if cached and time.time() - cached[-1].stat().st_mtime < MAX_AGE_S:
            return Kernel(cached[-1])
        try:
            return Kernel(_fetch(cache))
        except Unavailable:
            if not cached:
                raise
            return Kernel(cached[-1])  # offline: an older kernel is better than none
