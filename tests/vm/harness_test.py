"""Tests of run_vm.py, initramfs.py and kernel.py that need no machine."""

import pathlib
import stat
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import initramfs  # noqa: E402
import kernel  # noqa: E402
import run_vm  # noqa: E402

PASSED = """[==========] Running 3 tests from 1 test suite.
[ RUN      ] A.One
[       OK ] A.One (3 ms)
[ RUN      ] A.Two
/src/a.cc:7: Skipped
needs a thing:
run foo
[  SKIPPED ] A.Two (0 ms)
[ RUN      ] P/A.Three/0
/src/a.cc:9: Failure
1 is not 2
[  FAILED  ] P/A.Three/0, where GetParam() = 4 (1 ms)
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] A.Two
[  FAILED  ] 1 test, listed below:
[  FAILED  ] P/A.Three/0, where GetParam() = 4
"""


class Results(unittest.TestCase):
    def test_each_test_counts_once_with_its_reason(self):
        found = run_vm.results_of(PASSED, 1, "")
        self.assertEqual([(r["name"], r["status"]) for r in found],
                         [("A.One", "passed"), ("A.Two", "skipped"), ("P/A.Three/0", "failed")])
        self.assertEqual(found[1]["reason"], "needs a thing: run foo")
        self.assertIn("1 is not 2", found[2]["reason"])

    def test_a_test_that_did_not_end_has_failed(self):
        found = run_vm.results_of("[ RUN      ] A.One\nhello\n", None, "still running after 5 s")
        self.assertEqual(found[0]["status"], "failed")
        self.assertIn("still running after 5 s", found[0]["reason"])
        self.assertIn("hello", found[0]["reason"])

    def test_output_without_tests_gives_no_result(self):
        self.assertEqual(run_vm.results_of("hello\n", 0, ""), [])


class Archive(unittest.TestCase):
    def members(self, image):
        with tempfile.NamedTemporaryFile() as file:
            image.write(file.name)
            data = pathlib.Path(file.name).read_bytes()
        at, found = 0, {}
        while True:
            self.assertEqual(data[at:at + 6], b"070701")
            field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = data[at + 110:at + 110 + field[11] - 1].decode()
            at += (110 + field[11] + 3) & ~3
            if name == "TRAILER!!!":
                return found
            found[name] = (field[1], data[at:at + field[6]])
            at += (field[6] + 3) & ~3

    def test_holds_parents_modes_and_content(self):
        image = initramfs.Initramfs()
        image.add_file("a/b/tool", b"12345", 0o4755)
        found = self.members(image)
        self.assertTrue(stat.S_ISDIR(found["a/b"][0]))
        self.assertEqual(found["a/b/tool"], (stat.S_IFREG | 0o4755, b"12345"))

    def test_follows_links_of_the_host_and_keeps_them(self):
        with tempfile.TemporaryDirectory() as scratch:
            root = pathlib.Path(scratch).resolve()
            (root / "real").mkdir()
            (root / "real" / "file").write_text("x")
            (root / "link").symlink_to("real")
            image = initramfs.Initramfs()
            image.add_host_path(str(root / "link" / "file"))
            found = self.members(image)
            inside = str(root).lstrip("/")
            self.assertEqual(found[inside + "/link"][1], b"real")
            self.assertEqual(found[inside + "/real/file"][1], b"x")
            self.assertNotIn(inside + "/link/file", found)

    def test_a_link_that_leads_to_itself_is_an_error(self):
        with tempfile.TemporaryDirectory() as scratch:
            loop = pathlib.Path(scratch) / "loop"
            loop.symlink_to("loop")
            with self.assertRaisesRegex(OSError, "too many links"):
                initramfs.Initramfs().add_host_path(str(loop))


class Modules(unittest.TestCase):
    def tree(self, scratch):
        root = pathlib.Path(scratch)
        modules = root / "lib/modules/6.1.0-test/kernel"
        modules.mkdir(parents=True)
        (root / "boot").mkdir()
        (root / "boot/vmlinuz-6.1.0-test").write_bytes(b"")
        for name, depends in (("a", "b-c"), ("b-c", "d"), ("d", "")):
            (modules / f"{name}.ko").write_bytes(b"\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0")
        (root / "lib/modules/6.1.0-test/modules.builtin").write_text("kernel/fs/built-in.ko\n")
        return kernel.Kernel(root)

    def test_dependencies_come_first_and_built_in_ones_are_left_out(self):
        with tempfile.TemporaryDirectory() as scratch:
            self.assertEqual([p.stem for p in self.tree(scratch).modules(["a", "built_in", "d"])], ["d", "b-c", "a"])

    def test_an_unknown_module_is_named(self):
        with tempfile.TemporaryDirectory() as scratch:
            with self.assertRaisesRegex(kernel.Unavailable, "'nothing'"):
                self.tree(scratch).modules(["nothing"])


if __name__ == "__main__":
    unittest.main()
