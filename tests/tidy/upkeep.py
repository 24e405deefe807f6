"""No dead headers, a stated purpose for every file, and text that is fit to publish."""

import collections
import fnmatch
import pathlib
import posixpath
import re
import unicodedata

from repo import DATA_FOLDERS, SOURCE_FOLDERS

LINES_MAX = 450
OWN_README = ("src/", "apps/", "guests/", "bench/", "tests/", "examples/")  # folders there explain themselves
NEEDS_NO_PURPOSE = ("README.md", "CMakeLists.txt")

# Assembled from pieces so that this file passes its own check.
MACHINE_PATHS = re.compile("|".join((r"/wor" + r"k/(main|shared|\.library)", r"\.\./shar" + r"ed/", r"/hom" + r"e/(?!(user|someone)\b)[a-z]{2,}/",
                                     r"/tm" + r"p/(build|clone|h)\b", r"/Use" + r"rs/[a-z]+/")))
REGISTRIES = re.compile("|".join(name.replace(".", r"\.") for name in (
    "deb.deb" + "ian.org", "security.deb" + "ian.org", "snapshot.deb" + "ian.org", "registry.npm" + "js.org",
    "crates" + ".io", "pypi" + ".org", "pythonhosted" + ".org", "proxy.golang" + ".org", "repo.maven" + ".apache.org",
    "repo1.maven" + ".org")))
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
HISTORY = re.compile(r"\b[Ii]ssues? [A-H]\b|\bhelper engineer\b")
PAGE = re.compile(r"[\w./-]*\w\.m" + r"d\b")


def check_headers(repo):
    included = collections.defaultdict(set)
    for path in repo.sources():
        for _, quoted, name in repo.includes(path):
            if quoted:
                included[name].add(path)
                included[str(pathlib.PurePosixPath(path).parent / name)].add(path)
    for path in repo.sources(".h"):
        first = next((line for line in repo.text(path).splitlines()
                      if line.strip() and not line.lstrip().startswith("//")), "")
        if first.strip() != "#pragma once" and not repo.excused("headers", path):
            yield f"{path}: the first line of code must be #pragma once"
        users = included[path] | included[path.removeprefix("src/")]
        stem = path.removesuffix(".h")
        others = {u for u in users if u not in (stem + ".cc", stem + "_test.cc", stem + "_fuzz.cc", stem + "_bench.cc")}
        if not others and not repo.excused("headers", path):
            yield f"{path}: included by nobody but its own source and tests; remove it, or use it"


def check_purposes(repo):
    """Each file is covered by a name or pattern in backticks in the README.md of its folder or of one above."""
    top = [name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md") if name in repo.files]
    readmes = {str(pathlib.PurePosixPath(f).parent): [f] for f in repo.files
               if f.endswith("/README.md") and not f.startswith(DATA_FOLDERS)}
    readmes["."] = top
    patterns = {folder: _patterns("\n".join(repo.text(f) for f in files)) for folder, files in readmes.items()}
    silent = collections.Counter()
    for path in repo.files:
        name = pathlib.PurePosixPath(path)
        if name.name in NEEDS_NO_PURPOSE or repo.excused("purposes", path):
            continue
        if any(_covered(path, str(folder), patterns) for folder in name.parents if str(folder) in readmes):
            continue
        nearest = next(str(f) for f in name.parents if str(f) in readmes)
        if nearest == "." and path.startswith(OWN_README):
            silent[str(name.parent)] += 1
        else:
            document = "README.md or CONTRIBUTING.md" if nearest == "." else nearest + "/README.md"
            yield f"{path}: its purpose is not named in {document}"
    for folder, count in silent.items():
        yield f"{folder}/README.md does not exist, so {count} files there have no purpose"


def _patterns(text):
    found = set()
    for token in re.findall(r"`([^`\s]+)`", text):
        head, brace, rest = token.partition("{")
        inner, closing, tail = rest.partition("}")
        found.update(head + part + tail for part in inner.split(",")) if brace and closing else found.add(token)
    return found


def _covered(path, folder, patterns):
    if folder == "." and path.startswith(OWN_README):
        return False  # `src/` in the README at the top says nothing of a file far below
    relative = path if folder == "." else path[len(folder) + 1:] if path.startswith(folder + "/") else None
    if relative is None:
        return False
    for pattern in patterns[folder]:
        if pattern.endswith("/"):
            if relative.startswith(pattern) or fnmatch.fnmatchcase(relative, pattern + "*"):
                return True
        elif fnmatch.fnmatchcase(relative, pattern) and pattern.strip("*./"):
            return True
        elif "/" not in relative and _stem(relative) == _stem(pattern) and pattern.endswith((".h", ".cc", ".c", ".py")):
            return True
    return False


def _stem(name):
    return re.sub(r"(_test|_fuzz|_bench)?\.(h|cc|c|py)$", "", name)


def check_text(repo):
    for path in repo.files:
        if path.startswith(DATA_FOLDERS) or b"\0" in (repo.root / path).read_bytes()[:4096]:
            continue
        text = repo.text(path)
        for problem in _text_problems(path, text):
            if not repo.excused("text", path):
                yield problem
        lines = text.count("\n")
        if path.startswith(SOURCE_FOLDERS + ("scripts/",)) and path.endswith((".cc", ".h", ".c", ".py", ".cmake", ".sh")):
            if lines > LINES_MAX and not repo.excused("length", path):
                yield f"{path}: {lines} lines; past {LINES_MAX} look for a second concept, or add it to tests/tidy/exceptions"


def _text_problems(path, text):
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at its end"
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{path}:{number}"
        if "\r" in line:
            yield f"{where}: carriage return"
        if line != line.rstrip() and not path.endswith((".csv", ".diff", ".patch")):
            yield f"{where}: white space at the end of the line"
        if "\t" in line and not path.endswith(("Makefile", ".mk", ".tsv")):
            yield f"{where}: tab; use spaces or \\t"
        for pattern, what in ((MACHINE_PATHS, "a path of one machine"), (REGISTRIES, "the address of a package registry"),
                              (UNFINISHED, "unfinished work"), (HISTORY, "the history of the work")):
            found = pattern.search(line)
            if found:
                yield f"{where}: '{found.group(0)}' is {what}"
        for character in line:
            if ord(character) > 126 and unicodedata.category(character) in ("Cf", "Cc", "Co", "Cn"):
                yield f"{where}: invisible character U+{ord(character):04X}; write it as an escape"


def check_documents(repo):
    """The table of SPECIFICATION.md names tests that exist, and local links in documents lead somewhere."""
    sources = "\n".join(repo.text(f) for f in repo.files if f.endswith(("_test.cc", "_bench.cc", "_test.py")))
    known = {f"{suite}.{test}" for suite, test in re.findall(r"TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)", sources)}
    for document in ("SPECIFICATION.md", "docs/threat-model.md"):
        if document not in repo.files:
            continue
        for number, line in enumerate(repo.text(document).splitlines(), start=1):
            for name in re.findall(r"`(\w+\.\w+)`", line):
                if name.split(".")[0][:1].isupper() and not name.endswith(".md") and name not in known:
                    yield f"{document}:{number}: names the test {name}, which does not exist"
            for pattern in re.findall(r"`(Attack\d\d)_\*`", line):
                if not re.search(rf"\b{pattern}_\w+", sources):
                    yield f"{document}:{number}: no test's name begins with {pattern}_"
    folders = {str(parent) + "/" for path in repo.files for parent in pathlib.PurePosixPath(path).parents}
    for document in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        for name in re.findall(r"`((?:src|apps|tests|docs|scripts|cmake|bench|guests|examples)/[\w./-]*)`",
                               repo.text(document) if document in repo.files else ""):
            if name not in repo.files and name.rstrip("/") + "/" not in folders:
                yield f"{document}: names {name}, which does not exist"
    for path in repo.files:
        if not path.endswith(".md") or path.startswith(DATA_FOLDERS):
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", repo.text(path)):
            if "://" not in target and not (repo.root / path).parent.joinpath(target).exists():
                yield f"{path}: link to {target} leads nowhere"


def check_pages(repo):
    """Every page that a comment, a string or a document names exists: nobody can read one that is kept elsewhere."""
    ends = {"/".join(parts[i:]) for parts in (path.split("/") for path in repo.files) for i in range(len(parts))}
    for path in repo.files:
        if path.startswith(DATA_FOLDERS) or b"\0" in (repo.root / path).read_bytes()[:4096]:
            continue
        for number, line in enumerate(repo.text(path).splitlines(), start=1):
            for name in PAGE.findall(line):
                beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
                if name.lstrip("/") not in ends and beside not in repo.files and not repo.excused("pages", path):
                    yield f"{path}:{number}: names the page {name}, which does not exist"


def check_exceptions(repo):
    """An exception that nothing needs any more is removed, and each has a reason."""
    for entry in repo.exceptions:
        if len(entry) < 3:
            yield f"tests/tidy/exceptions: '{' '.join(entry)}' needs check, pattern and reason"
        elif entry not in repo.used_exceptions:
            yield f"tests/tidy/exceptions: '{entry[0]} {entry[1]}' excuses nothing; remove it"
