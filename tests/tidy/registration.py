"""Every test is registered with ctest and every source belongs to a target; reads a configured build directory."""

import json
import pathlib
import re
import subprocess

UNITY_INCLUDE = re.compile(r'^#include "(/[^"]+)"$', re.M)
TEST_MACRO = re.compile(r"^\s*(?:TYPED_)?TEST(_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)


def check_registered(repo, build):
    listed = subprocess.run(["ctest", "--test-dir", str(build), "--show-only=json-v1"], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True)
    if listed.returncode != 0:
        yield f"ctest cannot list the tests of {build}: {listed.stderr.strip()}"
        return
    tests = [test for test in json.loads(listed.stdout)["tests"]]
    names = [test["name"] for test in tests]
    for name in names:
        if name.endswith("_NOT_BUILT"):
            yield f"{name.removesuffix('_NOT_BUILT')} was not built, so its tests are unknown"
    for path in repo.sources("_test.cc"):
        if path.endswith("_for_test.cc"):
            continue  # what tests share
        found = TEST_MACRO.findall(_without_comments(repo.text(path)))
        if not found and not repo.excused("registered", path):
            yield f"{path}: no TEST in it"
        for kind, suite, test in found:
            if test.startswith("DISABLED_") or suite.startswith("DISABLED_"):
                yield f"{path}: {suite}.{test} is disabled; repair or remove it"
            elif not _known(names, kind, suite, test) and not repo.excused("registered", path):
                yield f"{path}: {suite}.{test} is not registered with ctest"
    commands = [" ".join(test.get("command", [])) for test in tests]
    for path in repo.files:
        if path.startswith("tests/") and path.endswith("_test.py"):
            if not any(str(repo.root / path) in command for command in commands):
                yield f"{path}: not registered with ctest; add_test() it in {pathlib.PurePosixPath(path).parent}/CMakeLists.txt"


def _known(names, kind, suite, test):
    if kind != "_P":
        plain = f"{suite}.{test}"
        if plain in names:
            return True
    # TEST_P and typed tests: Prefix/Suite.Test/0 or Suite/0.Test
    pattern = re.compile(rf"(^|/){suite}(/\w+)?\.{test}(/|$)")
    return any(pattern.search(name) for name in names)


def _without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def check_targets(repo, build):
    commands = pathlib.Path(build) / "compile_commands.json"
    if not commands.is_file():
        yield f"{commands} is missing: configure {build} first"
        return
    compiled = set()
    for entry in json.loads(commands.read_text()):
        source = pathlib.Path(entry["file"])
        # A file that CMake made of several (cmake/unity.cmake) names them by their full path.
        unity = UNITY_INCLUDE.findall(source.read_text()) if source.parent.name == "Unity" and source.is_file() else []
        compiled.update(pathlib.Path(part).resolve() for part in unity or [source])
    for path in repo.sources(".cc", ".c"):
        if path.startswith("examples/") or (repo.root / path).resolve() in compiled:
            continue
        if path.endswith("_fuzz.cc"):
            # Built by the fuzz preset only, from the same glob as the folder's library.
            rules = repo.root / pathlib.PurePosixPath(path).parent / "CMakeLists.txt"
            if rules.is_file() and "writ_module(" in rules.read_text():
                continue
        if not repo.excused("targets", path):
            yield f"{path}: belongs to no target of {build}"
