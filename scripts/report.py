"""Turns test results into lines and the lines into a summary; used by scripts/test.

    report.py junit PHASE FILE VM_DIR   JUnit file of ctest -> "status<TAB>phase<TAB>name<TAB>reason" lines
    report.py total FILE                prints failures, skips with reasons, and the closing line
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(output):
    """The text a skipped GoogleTest or script gave, on one line."""
    found = re.search(r"Skipped\n(.*?)\n\s*(?:\n|\[)", output, re.S) or re.search(r"^SKIP: (.*)$", output, re.M)
    return " ".join(found.group(1).split())[:300] if found else "no reason given"


def excerpt(output):
    """Beginning and end of what a failed test said: sanitizers name the fault first and sum it up last."""
    lines = output.splitlines()
    if len(lines) <= 80:
        return output
    return "\n".join(lines[:40] + [f"... {len(lines) - 80} lines; see build/*.ctest.log"] + lines[-40:])


def lines_of_junit(phase, junit, vm_dir):
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = case.get("name")
        output = case.findtext("system-out") or ""
        # A test that ran a whole program in the virtual machine leaves the results of its parts.
        parts = pathlib.Path(vm_dir) / (name + ".json")
        if phase == "vm" and parts.is_file():
            for part in json.loads(parts.read_text()):
                yield part["status"], phase, f"{name}: {part['name']}", part.get("reason", "")
            continue
        skipped = case.find("skipped")
        if skipped is not None and (skipped.get("message") or "").startswith("SKIP_"):
            yield "skipped", phase, name, skip_reason(output)
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            # A program that was not built, say: ctest calls that "not run", and nobody asked for it to be left out.
            yield "failed", phase, name, "ctest could not run it\n" + output
        elif case.find("failure") is not None or case.get("status") == "fail":
            yield "failed", phase, name, excerpt(output)
        else:
            yield "passed", phase, name, ""


def encode(line):
    return "\t".join(field.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for field in line)


def decode(field):
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m.group(1), m.group(1)), field)


def total(path):
    lines = [[decode(f) for f in line.split("\t")] for line in pathlib.Path(path).read_text().splitlines()]
    count = collections.Counter(line[0] for line in lines)
    skipped = collections.defaultdict(list)
    for status, phase, name, reason in lines:
        if status == "skipped":
            skipped[(phase, reason)].append(name)
    for (phase, reason), names in skipped.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        print(f"skipped ({phase}): {shown}: {reason}")
    for status, phase, name, reason in lines:
        if status == "failed":
            print(f"FAILED ({phase}): {name}")
            for text in reason.splitlines():
                print(f"    {text}")
    for phase in dict.fromkeys(line[1] for line in lines):
        per = collections.Counter(line[0] for line in lines if line[1] == phase)
        print(f"{phase}: {per['passed']} passed, {per['failed']} failed, {per['skipped']} skipped")
    if not lines:
        print("no test ran")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not lines else 0


def main(arguments):
    if len(arguments) == 4 and arguments[0] == "junit":
        for line in lines_of_junit(*arguments[1:]):
            print(encode(line))
        return 0
    if len(arguments) == 2 and arguments[0] == "total":
        return total(arguments[1])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
