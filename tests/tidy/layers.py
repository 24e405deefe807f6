"""Includes point to lower layers, and some libraries stay in their folders."""

import pathlib

LAYERS = {
    "base": 0,
    "sys": 1, "net": 1, "canon": 1, "crypto": 1,
    "contract": 2,
    "policy": 3, "workspace": 3, "storage": 3, "secrets": 3, "remote": 3,
    "egress": 4, "isolation": 4,
    "session": 5,
    "plane": 6, "runner": 6, "client": 6,
    "api": 7,
    "cli": 8, "http": 8, "grpc": 8, "mcp": 8, "spool": 8,
}

# Folders of a layer that know each other all the same, and why.
SIBLINGS = {
    ("net", "sys"): "a socket is a descriptor",
}

# Backends of src/isolation: the conformance suite meets them, they do not meet each other.
BACKENDS = ("process", "wasm", "oci", "microvm", "fake")

# Programs that must stay small enough to trust: folders of src/ they may include from.
PROGRAMS = {
    "apps/writ_verify": ("base", "sys", "canon", "crypto", "contract"),
    "apps/writ_jail": ("base", "sys", "isolation"),
}

# Third-party headers and the only places that may see them.
FENCED = {
    "openssl/": ("src/crypto/", "src/net/", "src/secrets/", "src/egress/", "src/http/"),
    "sodium": ("src/crypto/",),
    "yaml-cpp/": ("src/policy/",),
    "sqlite3.h": ("src/storage/",),
    "seccomp.h": ("src/isolation/process/seccomp/",),
    "idn2.h": ("src/net/",),
    "boost/": ("src/net/", "src/http/", "src/grpc/"),
    "grpcpp/": ("src/grpc/",),
    "gtest/": ("*_test.cc", "*_for_test.h", "tests/"),
    "gmock/": ("*_test.cc", "*_for_test.h", "tests/"),
    "benchmark/": ("bench/", "*_bench.cc"),
    "iostream": ("tests/", "bench/"),  # static initialisers in every program; fmt prints
}


def check_layers(repo):
    for path in repo.sources():
        parts = pathlib.PurePosixPath(path).parts
        if parts[0] not in ("src", "apps"):
            continue
        for number, quoted, name in repo.includes(path):
            folder = name.split("/")[0]
            if not quoted or "/" not in name:
                if quoted and not repo.excused("layers", path):
                    yield f"{path}:{number}: include \"{name}\" by its path from src/, as in \"base/error.h\""
                continue
            if folder not in LAYERS:
                yield f"{path}:{number}: \"{name}\": {folder}/ is not a layer; tests/tidy/layers.py lists them"
                continue
            if path.endswith("_test.cc") and name.endswith("_for_test.h"):
                continue  # shared test data is no dependency of the library
            problem = None
            if parts[0] == "apps":
                problem = _program(path, folder)
            elif parts[1] in LAYERS:
                problem = _folder(parts, folder, name)
            else:
                problem = f"src/{parts[1]} is not a layer; tests/tidy/layers.py lists them"
            if problem and not repo.excused("layers", path):
                yield f"{path}:{number}: includes \"{name}\": {problem}"


def _program(path, folder):
    for program, allowed in PROGRAMS.items():
        if (path.startswith(program + "/") or path.startswith(program + ".")) and folder not in allowed:
            return f"{program} may use {', '.join(allowed)} only"
    return None


def _folder(parts, folder, name):
    own = parts[1]
    if folder == own:
        mine = parts[2] if len(parts) > 3 else ""
        theirs = name.split("/")[1] if name.count("/") > 1 else ""
        if own == "isolation" and mine != theirs and mine in BACKENDS and theirs in BACKENDS:
            return "one backend does not know another"
        return None
    if LAYERS[folder] > LAYERS[own]:
        return f"{own} (layer {LAYERS[own]}) may not look up at {folder} (layer {LAYERS[folder]})"
    if LAYERS[folder] == LAYERS[own] and (own, folder) not in SIBLINGS:
        return f"{own} and {folder} are of one layer and leave each other alone; the layer above joins them"
    return None


def check_fences(repo):
    for path in repo.sources():
        for number, quoted, name in repo.includes(path):
            for prefix, places in FENCED.items():
                if quoted or not name.startswith(prefix):
                    continue
                inside = any(path.endswith(place[1:]) if place.startswith("*") else path.startswith(place)
                             for place in places)
                if not inside and not repo.excused("fences", path):
                    yield f"{path}:{number}: <{name}> belongs into {', '.join(places)} only"
