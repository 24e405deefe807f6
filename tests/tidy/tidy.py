"""The repository as the subject of a test. Usage: tidy.py [--root DIR] [--build DIR] [CHECK...]

Checks: layers fences headers purposes text documents pages, and with --build also registered targets
exceptions; default: all.
Prints one line per problem. Exit status: 0 none, 1 some, 2 usage.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import layers  # noqa: E402
import registration  # noqa: E402
import upkeep  # noqa: E402
from repo import Repo  # noqa: E402

OF_THE_TREE = {
    "layers": layers.check_layers,
    "fences": layers.check_fences,
    "headers": upkeep.check_headers,
    "purposes": upkeep.check_purposes,
    "text": upkeep.check_text,
    "documents": upkeep.check_documents,
    "pages": upkeep.check_pages,
}
OF_A_BUILD = {
    "registered": registration.check_registered,
    "targets": registration.check_targets,
}


def problems(root, build, checks):
    repo = Repo(root)
    for name in checks:
        if name in OF_THE_TREE:
            yield from OF_THE_TREE[name](repo)
        elif name in OF_A_BUILD:
            yield from OF_A_BUILD[name](repo, build)
        else:
            yield from unused_exceptions(repo, build)


def unused_exceptions(repo, build):
    for check in OF_THE_TREE.values():
        list(check(repo))
    for check in OF_A_BUILD.values():
        list(check(repo, build))
    yield from upkeep.check_exceptions(repo)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--build")
    parser.add_argument("check", nargs="*", metavar="CHECK")
    options = parser.parse_args()
    available = list(OF_THE_TREE) + (list(OF_A_BUILD) + ["exceptions"] if options.build else [])
    for name in options.check:
        if name not in available:
            parser.error(f"no check named '{name}'; checks are {' '.join(available)}")
    found = list(problems(options.root, options.build, options.check or available))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
