"""Runs one test program inside a virtual machine and reports like the program itself.

Exit status: 0 passed, 1 failed, 77 the machine cannot be had here ("SKIP: reason"), 2 usage.
"""

import argparse
import json
import os
import pathlib
import re
import secrets
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import kernel
from initramfs import Initramfs

OUTPUT_BYTES_MAX = 16 << 20

ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n"
              "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\ntty:x:5:\nusers:x:100:user\nuser:x:1000:\nnogroup:x:65534:\n",
    "shadow": "root:*:19000:0:99999:7:::\nuser:*:19000:0:99999:7:::\n",
    "subuid": "user:100000:65536\n",
    "subgid": "user:100000:65536\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "hostname": "vm\n",
}


def build_image(path, options, nonce, modules):
    image = Initramfs()
    for directory in ("dev", "proc", "sys", "run", "tmp", "root", "home", "var/tmp", "var/lib", "etc/writ", "newroot"):
        image.add_directory(directory)
    image.add_device("dev/console", 5, 1)
    for name, content in ETC.items():
        image.add_file("etc/" + name, content.encode(), 0o600 if name == "shadow" else 0o644)
    busybox = shutil.which("busybox")
    image.add_file("bin/busybox" if not os.path.islink("/bin") else "usr/bin/busybox",
                   pathlib.Path(busybox).read_bytes(), 0o755)
    image.add_host_path("/bin/sh")
    missing = []
    for name in options.system:
        found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        image.add_host_path(found) if found else missing.append(name)
    for place in [options.program] + options.file:
        image.add_host_path(os.path.abspath(place))
    loads = []
    for module in modules:
        inside = f"lib/modules/{module.name}" if not os.path.islink("/lib") else f"usr/lib/modules/{module.name}"
        image.add_file(inside, module.read_bytes())
        loads.append("/lib/modules/" + module.name)
    directory = os.path.abspath(options.directory)
    image.add_directory(directory)
    image.add_file("vm/init", (pathlib.Path(__file__).parent / "init.sh").read_bytes(), 0o755)
    image.add_file("init", b"#!/bin/busybox sh\nexec /bin/busybox sh /vm/init\n", 0o755)
    image.add_file("vm/job", (f"nonce={nonce}\nrun_as={options.run_as}\ndirectory={shlex.quote(directory)}\n"
                              f"modules={shlex.quote(' '.join(loads))}\n").encode())
    settings = "".join(f"export {shlex.quote(setting)}\n" for setting in options.env)
    command = shlex.join([os.path.abspath(options.program)] + options.argument)
    image.add_file("vm/command", f"export WRIT_VM=1 GTEST_COLOR=no\n{settings}exec {command}\n".encode())
    image.write(path)
    return missing


def boot(options, kernel_image, initrd, console, nonce):
    """Yields the exit status of the program inside, or None when the machine ended or was ended without one."""
    machine = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
               "-m", str(options.memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-kernel", str(kernel_image), "-initrd", initrd, "-append",
               "console=ttyS0 quiet loglevel=4 panic=-1 " + options.kernel_arguments,
               "-serial", "file:" + console, "-chardev", "stdio,id=results,signal=off", "-serial", "chardev:results"]
    process = subprocess.Popen(machine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + options.timeout
    output, ended = bytearray(), "the machine ended before the program did"
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                ended = f"still running after {options.timeout} s"
                break
            if not select.select([process.stdout], [], [], left)[0]:
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            output += chunk
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            if len(output) > OUTPUT_BYTES_MAX:
                ended = f"more than {OUTPUT_BYTES_MAX} bytes of output"
                break
    finally:
        process.kill()
        errors = process.communicate()[1].decode(errors="replace").strip()
    text = output.decode(errors="replace").replace("\r\n", "\n")
    found = re.search(rf"^vm-exit {nonce} (\d+)$", text, re.M)
    if found:
        return text[:found.start()], int(found.group(1)), ""
    return text, None, ended + (f"; qemu says: {errors}" if errors else "")


def results_of(text, status, trouble):
    """One entry per GoogleTest test in the output; a test that began and did not end has failed."""
    results, running, started_at = [], None, 0
    for line in re.finditer(r"^\[( RUN      |       OK |  FAILED  |  SKIPPED )\] (\S+?)(?:,.*)?(?: \(\d+ ms\))?$", text, re.M):
        kind, name = line.group(1).strip(), line.group(2)
        if kind == "RUN":
            running, started_at = name, line.end()
            continue
        if name != running:
            continue  # the summary at the end names failed and skipped tests again
        said = text[started_at:line.start()].strip()
        state = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[kind]
        if state == "skipped":
            said = " ".join(said.partition("Skipped\n")[2].split())[:300]
        results.append({"name": name, "status": state, "reason": "" if state == "passed" else said})
        running = None
    if running is not None:
        results.append({"name": running, "status": "failed",
                        "reason": f"did not end: {trouble or f'exit status {status}'}\n{text[started_at:][-3000:]}"})
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the test, for its result file")
    parser.add_argument("--program", required=True, help="the program to run, at the same path inside")
    parser.add_argument("--argument", action="append", default=[])
    parser.add_argument("--run-as", choices=("root", "user"), default="root")
    parser.add_argument("--file", action="append", default=[], help="file or directory to copy to the same path")
    parser.add_argument("--system", action="append", default=[], help="program of the host's PATH to copy")
    parser.add_argument("--module", action="append", default=[], help="kernel module to load")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE for the program")
    parser.add_argument("--directory", default="/tmp", help="working directory")
    parser.add_argument("--kernel-arguments", default="", help="more of the kernel's command line")
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--timeout", type=int, default=240, help="seconds until the machine is ended")
    parser.add_argument("--results", required=True, help="directory for NAME.json and NAME.console")
    options = parser.parse_args()

    results = pathlib.Path(options.results)
    results.mkdir(parents=True, exist_ok=True)
    report = results / (options.name + ".json")
    report.unlink(missing_ok=True)
    for tool, package in (("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static")):
        if shutil.which(tool) is None:
            print(f"SKIP: no {tool}; install {package}")
            return 77
    try:
        found = kernel.get()
        modules = found.modules(options.module)
    except kernel.Unavailable as error:
        print(f"SKIP: {error}")
        return 77

    nonce = secrets.token_hex(8)
    console = str(results / (options.name + ".console"))
    with tempfile.TemporaryDirectory(prefix="writ-vm-") as scratch:
        initrd = os.path.join(scratch, "initrd")
        missing = build_image(initrd, options, nonce, modules)
        if missing:
            print(f"note: the host has no {', '.join(missing)}; the machine goes without")
        started = time.monotonic()
        text, status, trouble = boot(options, found.image, initrd, console, nonce)
        print(f"machine: kernel {found.version}, {time.monotonic() - started:.1f} s from start to power-off")
    tests = results_of(text, status, trouble)
    if status is None:
        print(f"FAILED: {trouble}; console:\n" + "\n".join(
            pathlib.Path(console).read_text(errors="replace").splitlines()[-30:]))
    if status != 0 and not any(test["status"] == "failed" for test in tests):
        tests.append({"name": "program", "status": "failed", "reason": trouble or f"exit status {status}\n{text[-3000:]}"})
    if not tests:
        tests.append({"name": "program", "status": "failed", "reason": "it ran no test"})
    report.write_text(json.dumps(tests, indent=1))
    return 1 if any(test["status"] == "failed" for test in tests) else 0


if __name__ == "__main__":
    sys.exit(main())
