"""Tests of scripts/report.py: what ctest wrote becomes counts, reasons and the closing line."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import report  # noqa: E402

JUNIT = """<?xml version="1.0"?>
<testsuite name="x" tests="5">
<testcase name="A.Passes" status="run"><system-out>[       OK ] A.Passes</system-out></testcase>
<testcase name="A.Skips" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
<system-out>[ RUN      ] A.Skips
/src/a_test.cc:2: Skipped
needs a thing: run foo

[  SKIPPED ] A.Skips (0 ms)
</system-out></testcase>
<testcase name="vm.none" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
<system-out>SKIP: no kernel
</system-out></testcase>
<testcase name="A.Fails" status="fail"><failure message=""/><system-out>a\\b\tc
1 is not 2</system-out></testcase>
<testcase name="b_NOT_BUILT" status="notrun"><skipped message=""/><system-out></system-out></testcase>
</testsuite>
"""


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def lines(self, phase="unit", junit=JUNIT):
        (self.folder / "junit.xml").write_text(junit)
        return list(report.lines_of_junit(phase, self.folder / "junit.xml", self.folder))

    def total(self, lines):
        (self.folder / "results").write_text("".join(report.encode(line) + "\n" for line in lines))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = report.total(self.folder / "results")
        return status, out.getvalue()

    def test_states_and_reasons(self):
        found = {name: (status, reason) for status, _, name, reason in self.lines()}
        self.assertEqual(found["A.Passes"], ("passed", ""))
        self.assertEqual(found["A.Skips"], ("skipped", "needs a thing: run foo"))
        self.assertEqual(found["vm.none"], ("skipped", "no kernel"))
        self.assertEqual(found["A.Fails"][0], "failed")

    def test_a_program_that_was_not_built_has_failed(self):
        self.assertEqual({line[2]: line[0] for line in self.lines()}["b_NOT_BUILT"], "failed")

    def test_parts_of_a_machine_count_one_by_one(self):
        (self.folder / "vm.none.json").write_text(json.dumps(
            [{"name": "A.One", "status": "passed"}, {"name": "A.Two", "status": "skipped", "reason": "old"}]))
        names = {line[2]: line[0] for line in self.lines("vm")}
        self.assertEqual((names["vm.none: A.One"], names["vm.none: A.Two"]), ("passed", "skipped"))
        self.assertNotIn("vm.none", names)

    def test_closing_line_and_status(self):
        status, text = self.total(self.lines())
        self.assertEqual(status, 1)
        self.assertEqual(text.splitlines()[-1], "1 passed, 2 failed, 2 skipped")
        self.assertIn("skipped (unit): A.Skips: needs a thing: run foo", text)
        self.assertIn("    a\\b\tc\n    1 is not 2\n", text)
        self.assertEqual(self.total(self.lines()[:3])[0], 0)

    def test_nothing_run_is_a_failure(self):
        status, text = self.total([])
        self.assertEqual((status, text.splitlines()[-1]), (1, "0 passed, 0 failed, 0 skipped"))

    def test_long_output_keeps_both_ends(self):
        text = report.excerpt("\n".join(str(n) for n in range(1000)))
        self.assertTrue(text.startswith("0\n1\n") and text.endswith("\n998\n999"))
        self.assertLess(text.count("\n"), 90)


if __name__ == "__main__":
    unittest.main()
