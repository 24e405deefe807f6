"""Each check is shown to stay silent on a sound tree and to speak up on one planted violation."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tidy  # noqa: E402

SOUND = {
    "README.md": "`README.md` `src/`\n",
    "src/base/README.md": "`error.h`: errors as values\n",
    "src/base/CMakeLists.txt": "writ_module(NAME base)\n",
    "src/base/error.h": "// Why.\n#pragma once\n\n#include <string>\n",
    "src/base/error.cc": '#include "base/error.h"\n',
    "src/base/error_test.cc": '#include <gtest/gtest.h>\n#include "base/error.h"\nTEST(Error, Reads) {}\n',
    "src/policy/README.md": "`decision.*`: decisions\n",
    "src/policy/decision.cc": '#include "base/error.h"\n',
}


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path, text in SOUND.items():
            self.plant(path, text)

    def plant(self, path, text):
        where = self.root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(text.encode())

    def found(self, *checks):
        return list(tidy.problems(self.root, self.root / "build", checks))

    def assert_one(self, check, *parts):
        found = self.found(check)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def plant_build(self, tests, sources):
        lines = [f"add_test([=[{name}]=] {command})\n" for name, command in tests]
        self.plant("build/CTestTestfile.cmake", "".join(lines))
        self.plant("build/compile_commands.json", json.dumps([{"file": str(self.root / s)} for s in sources]))

    def test_a_sound_tree_is_silent(self):
        self.plant_build([("Error.Reads", "/bin/true")], [s for s in SOUND if s.endswith(".cc")])
        self.assertEqual(self.found(*tidy.OF_THE_TREE, *tidy.OF_A_BUILD), [])

    def test_layers_include_upward(self):
        self.plant("src/base/up.cc", '#include "policy/decision.h"\n')
        self.assert_one("layers", "src/base/up.cc:1", "base (layer 0) may not look up at policy (layer 3)")

    def test_layers_include_sideways(self):
        self.plant("src/policy/side.cc", '#include "base/error.h"\n#include "storage/store.h"\n')
        self.assert_one("layers", "src/policy/side.cc:2", "of one layer")

    def test_layers_commented_include_does_not_count(self):
        self.plant("src/base/up.cc", '// #include "policy/decision.h"\n')
        self.assertEqual(self.found("layers"), [])

    def test_layers_unknown_folder(self):
        self.plant("src/policy/odd.cc", '#include "misc/odd.h"\n')
        self.assert_one("layers", "misc/ is not a layer")

    def test_layers_include_by_bare_name(self):
        self.plant("src/policy/bare.cc", '#include "decision.h"\n')
        self.assert_one("layers", "by its path from src/")

    def test_layers_backends_do_not_meet(self):
        self.plant("src/isolation/process/a.cc", '#include "isolation/fake/fake.h"\n#include "isolation/backend.h"\n')
        self.assert_one("layers", "one backend does not know another")

    def test_layers_verifier_stays_small(self):
        self.plant("apps/writ_verify/main.cc", '#include "contract/receipt.h"\n#include "session/engine.h"\n')
        self.assert_one("layers", "apps/writ_verify/main.cc:2", "base, sys, canon, crypto, contract only")

    def test_layers_test_data_of_a_sibling_is_allowed_to_tests_only(self):
        self.plant("src/crypto/a_test.cc", '#include "canon/vectors_for_test.h"\n')
        self.assertEqual(self.found("layers"), [])
        self.plant("src/crypto/a.cc", '#include "canon/vectors_for_test.h"\n')
        self.assert_one("layers", "src/crypto/a.cc:1")

    def test_fences(self):
        self.plant("src/policy/db.cc", "#include <sqlite3.h>\n")
        self.assert_one("fences", "src/policy/db.cc:1", "<sqlite3.h> belongs into src/storage/ only")

    def test_fences_tests_may_see_the_test_library(self):
        self.plant("src/policy/decision.cc", "#include <gmock/gmock.h>\n")
        self.assert_one("fences", "src/policy/decision.cc:1")

    def test_headers_without_guard(self):
        self.plant("src/base/error.h", "#include <string>\n")
        self.assert_one("headers", "src/base/error.h", "#pragma once")

    def test_headers_dead(self):
        self.plant("src/base/dead.h", "#pragma once\n")
        self.plant("src/base/dead.cc", '#include "base/dead.h"\n')
        self.plant("src/base/dead_test.cc", '#include "base/dead.h"\n')
        self.assert_one("headers", "src/base/dead.h", "included by nobody but its own source")

    def test_purposes_file_not_named(self):
        self.plant("src/base/other.cc", "\n")
        self.assert_one("purposes", "src/base/other.cc", "src/base/README.md")

    def test_purposes_the_top_does_not_speak_for_folders_below(self):
        self.plant("src/sys/fd.cc", "\n")
        self.assert_one("purposes", "src/sys/README.md does not exist")

    def test_purposes_a_star_alone_names_nothing(self):
        self.plant("src/base/README.md", "`*` `*.*` `error.h`\n")
        self.plant("src/base/other.cc", "\n")
        self.assert_one("purposes", "src/base/other.cc")

    def test_purposes_braces_folders_and_patterns_count(self):
        self.plant("src/base/README.md", "`{error,other}.h`, `cases_*.cc`, `data/`\n")
        for path in ("other_fuzz.cc", "cases_one.cc", "data/a/b.txt"):
            self.plant("src/base/" + path, "\n")
        self.assertEqual(self.found("purposes"), [])

    def test_text(self):
        planted = {
            "tab": ("int\tx;\n", "tab"),
            "space": ("int x; \n", "white space at the end"),
            "carriage": ("int x;\r\n", "carriage return"),
            "end": ("int x;", "no newline"),
            "machine": ("// /wor" + "k/main/src\n", "a path of one machine"),
            "registry": ("// crates" + ".io\n", "package registry"),
            "unfinished": ("// TO" + "DO: later\n", "unfinished"),
            "history": ("// as iss" + "ue A wants\n", "history of the work"),
            "bidi": ("// a\u202eb\n", "U+202E"),
        }
        for name, (text, problem) in planted.items():
            with self.subTest(name):
                self.plant("src/base/error.cc", text)
                found = self.found("text")
                self.assertTrue(found and all(problem in line or "white space" in line for line in found), found)
                self.assertTrue(any(problem in line for line in found), found)

    def test_text_long_file_needs_an_exception_with_a_reason(self):
        self.plant("src/base/error.cc", "int x;\n" * 451)
        self.assert_one("text", "451 lines")
        self.plant("tests/tidy/exceptions", "length src/base/error.cc a table\n")
        self.assertEqual(self.found("text"), [])

    def test_documents_name_tests_that_exist(self):
        self.plant("SPECIFICATION.md", "| 1 | errors read | `Error.Reads` |\n| 2 | none | `Error.Gone` |\n")
        self.assert_one("documents", "SPECIFICATION.md:2", "Error.Gone")

    def test_documents_name_attacks_that_exist(self):
        self.plant("docs/threat-model.md", "| 1 | `Attack01_*` |\n")
        self.assert_one("documents", "Attack01_")
        self.plant("src/base/error_test.cc", "TEST(Filter, Attack01_X32) {}\n")
        self.assertEqual(self.found("documents"), [])

    def test_documents_name_files_that_exist(self):
        self.plant("ARCHITECTURE.md", "`src/base/error.h` `src/base` `src/policy/` `src/base/gone.cc`\n")
        self.assert_one("documents", "ARCHITECTURE.md: names src/base/gone.cc")

    def test_documents_links(self):
        self.plant("README.md", "[gone](docs/gone.html) [there](src/base/error.h) [web](https://example.org/)\n")
        self.assert_one("documents", "docs/gone.html leads nowhere")

    def test_pages_that_a_comment_names_exist(self):
        page = "docs/gone.m" + "d"
        self.plant("src/base/error.cc", f"// See {page}, README.md, base/README.md and " "../policy/README.m" "d.\n")
        self.assert_one("pages", "src/base/error.cc:1", f"names the page {page}")

    def test_pages_of_a_test_s_own_tree_need_an_exception(self):
        self.plant("src/base/error_test.cc", '"notes.m' 'd"\n')
        self.assert_one("pages", "src/base/error_test.cc:1")
        self.plant("tests/tidy/exceptions", "pages src/base/error_test.cc a user's file\n")
        self.assertEqual(self.found("pages"), [])

    def test_registered_what_tests_share_needs_no_test(self):
        self.plant("tests/escape/cell_for_test.cc", "\n")
        self.plant("tests/escape/empty_test.cc", "\n")
        self.plant_build([("Error.Reads", "/bin/true")], [])
        self.assert_one("registered", "tests/escape/empty_test.cc: no TEST")

    def test_registered_missing(self):
        self.plant_build([("Other.Test", "/bin/true")], [])
        self.assert_one("registered", "Error.Reads is not registered")

    def test_registered_disabled(self):
        self.plant("src/base/error_test.cc", "TEST(Error, DISABLED_Reads) {}\n")
        self.plant_build([("Error.DISABLED_Reads", "/bin/true")], [])
        self.assert_one("registered", "is disabled")

    def test_registered_not_built(self):
        self.plant_build([("Error.Reads", "/bin/true"), ("writ_base_test_NOT_BUILT", "/bin/true")], [])
        self.assert_one("registered", "writ_base_test was not built")

    def test_registered_parameters_and_types(self):
        self.plant("src/base/error_test.cc", "TEST_P(Error, Reads) {}\nTYPED_TEST(Kind, Holds) {}\n")
        self.plant_build([("All/Error.Reads/0", "/bin/true"), ("Kind/0.Holds", "/bin/true")], [])
        self.assertEqual(self.found("registered"), [])

    def test_registered_python(self):
        self.plant("tests/vm/harness_test.py", "\n")
        self.plant_build([("Error.Reads", "/bin/true")], [])
        self.assert_one("registered", "harness_test.py: not registered")

    def test_targets(self):
        self.plant_build([], ["src/base/error.cc", "src/base/error_test.cc"])
        self.assert_one("targets", "src/policy/decision.cc: belongs to no target")

    def test_targets_sources_compiled_as_one_count_each(self):
        unity = "build/src/CMakeFiles/writ_base.dir/Unity/unity_0_cxx.cxx"
        for parts, problems in ((["src/base/error.cc", "src/policy/decision.cc"], 0), (["src/base/error.cc"], 1)):
            self.plant_build([], [s for s in SOUND if s.endswith(".cc") and s not in ("src/base/error.cc", "src/policy/decision.cc")] + [unity])
            self.plant(unity, "".join(f'#include "{self.root / part}"\n' for part in parts))
            self.assertEqual(len(self.found("targets")), problems)

    def test_targets_a_fuzz_target_counts_beside_its_module(self):
        self.plant("src/base/error_fuzz.cc", "\n")
        self.plant("src/policy/decision_fuzz.cc", "\n")
        self.plant_build([], [s for s in SOUND if s.endswith(".cc")])
        self.assert_one("targets", "src/policy/decision_fuzz.cc")

    def test_exceptions_stale_or_without_reason(self):
        self.plant_build([("Error.Reads", "/bin/true")], [s for s in SOUND if s.endswith(".cc")])
        self.plant("README.md", "`README.md` `src/` `tests/`\n")
        self.plant("tests/README.md", "`tidy/`\n")
        self.plant("tests/tidy/exceptions", "length src/base/gone.cc a reason\ntext src/base/error.cc\n")
        found = self.found("exceptions")
        self.assertEqual(len(found), 2, found)
        self.assertIn("excuses nothing", found[0])
        self.assertIn("needs check, pattern and reason", found[1])


if __name__ == "__main__":
    unittest.main()
