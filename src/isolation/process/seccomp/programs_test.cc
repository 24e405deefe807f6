// Real programs under the guest filter: what people run must run.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <string>

#include "isolation/process/seccomp/child_for_test.h"

namespace writ::seccomp {
namespace {

using ::testing::HasSubstr;

struct Program {
  const char* name;
  const char* needs;   ///< programs that must be installed, separated by spaces
  const char* script;  ///< for sh, in an empty directory
  const char* output;
};

/// Without it test names would hold pointer values.
void PrintTo(const Program& program, std::ostream* out) { *out << program.name; }

constexpr Program kPrograms[] = {
    {"coreutils", "ls cp sort dd stat mktemp",
     "set -e; seq 1 2000 | sort -r | head -3; dd if=/dev/zero of=z bs=4k count=4 2>/dev/null; cp -a z y; ln y x; ln -s y w;"
     "stat -c %s w y; mkfifo p; touch -d 2001-01-01 y; mv y v; sync; df . >/dev/null; ls -la >/dev/null; rm -rf ./*;"
     "timeout 5 sleep 0.01; nice true; nohup true 2>/dev/null; echo done",
     "done"},
    {"bash", "bash",
     R"(bash -c 'set -e; f() { (echo sub) & wait; }; f; cat <(echo proc) <<< here; x=$(echo $((6*7))); trap "echo trap" EXIT; kill -0 $$; echo $x')",
     "42"},
    {"archives", "tar gzip", "mkdir d && echo hi > d/f && tar czf a.tgz d && rm -r d && tar xzf a.tgz && cat d/f", "hi"},
    {"perl", "perl", R"(perl -e 'my $p=fork; if(!$p){exit 3} waitpid $p,0; print "status ",$?>>8,"\n"')", "status 3"},
    {"python3", "python3",
     R"PY(exec python3 - <<'END'
import asyncio, json, multiprocessing, os, shutil, socket, sqlite3, subprocess, tempfile, threading, time
results = []
t = threading.Thread(target=lambda: results.append("thread")); t.start(); t.join()
results.append(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout.strip())
db = sqlite3.connect("t.db"); db.execute("pragma journal_mode=wal"); db.execute("create table t(x)")
db.execute("insert into t values(1)"); db.commit(); results.append("sqlite" if list(db.execute("select * from t")) else "")
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); c = socket.create_connection(s.getsockname()); c.close()
results.append("tcp")
socket.getaddrinfo("localhost", 80)
async def work():
    p = await asyncio.create_subprocess_exec("true"); await p.wait(); await asyncio.sleep(0.01); return "async"
results.append(asyncio.run(work()))
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool: results.append(str(sum(pool.map(abs, [-1, -2]))))
with tempfile.TemporaryDirectory() as d: shutil.copy("t.db", d)
os.sched_getaffinity(0); os.getloadavg(); time.get_clock_info("monotonic")
print(" ".join(results))
END)PY",
     "thread child sqlite tcp async 3"},
    {"node", "node",
     R"JS(exec node -e '
const fs = require("fs"), { Worker } = require("worker_threads"), { execFileSync } = require("child_process"), net = require("net");
(async () => {
  await fs.promises.writeFile("f", "x".repeat(100000));
  const text = await fs.promises.readFile("f", "utf8");
  await new Promise((ok, bad) => { const w = new Worker("require(\"worker_threads\").parentPort.postMessage(1)", { eval: true }); w.on("message", ok); w.on("error", bad); });
  const server = net.createServer(c => c.end("hello")).listen(0, "127.0.0.1");
  await new Promise(ok => server.on("listening", ok));
  const got = await new Promise(ok => net.connect(server.address().port, "127.0.0.1").on("data", d => ok(String(d))));
  server.close();
  console.log(text.length, execFileSync("echo", ["child"]).toString().trim(), got, require("os").cpus().length > 0);
})();')JS",
     "100000 child hello true"},
    {"git", "git",
     "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q r && cd r && git config user.email a@b.example && git config user.name n &&"
     "echo 1 > f && git add f && git commit -q -m first && git checkout -q -b b && echo 2 > f && git commit -q -am second &&"
     "git gc -q && git clone -q . ../c && cd ../c && git log --oneline | wc -l",
     "2"},
    {"gcc", "gcc", "printf '#include <stdio.h>\\nint main(void){puts(\"built\");}\\n' > a.c && gcc -O1 a.c -o a && ./a", "built"},
    {"make", "make", "printf 'all: x y\\nx y:\\n\\t@echo $@\\n' > Makefile && make -s -j2 | sort", "x\ny"},
    {"sqlite3", "sqlite3", "sqlite3 t.db 'pragma journal_mode=wal; create table t(x); insert into t values(7); select x from t;'", "7"},
    {"java", "java",
     "printf 'public class A { public static void main(String[] a) throws Exception { Thread t = new Thread(() -> "
     "System.out.println(\"thread\")); t.start(); t.join(); java.nio.file.Files.writeString(java.nio.file.Path.of(\"f\"), \"x\");"
     "System.out.println(Runtime.getRuntime().availableProcessors() > 0); } }' > A.java && java -XX:-UsePerfData A.java",
     "thread\ntrue"},
    {"rust", "rustc",
     "printf 'fn main() { let t = std::thread::spawn(|| 6 * 7); println!(\"{}\", t.join().unwrap()); }' > a.rs && rustc a.rs && ./a", "42"},
    {"go", "go",
     "export HOME=$PWD GOCACHE=$PWD/cache GOFLAGS=-mod=mod GOTOOLCHAIN=local; printf 'package main\\nfunc main() { c := make(chan int);"
     " go func() { c <- 42 }(); println(<-c) }' > a.go && go run a.go",
     "42"},
};

bool Installed(const std::string& names) {
  return std::system(fmt::format("for p in {}; do command -v $p >/dev/null || exit 1; done", names).c_str()) == 0;
}

class ProgramTest : public ::testing::TestWithParam<Program> {};
INSTANTIATE_TEST_SUITE_P(Runs, ProgramTest, ::testing::ValuesIn(kPrograms),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST_P(ProgramTest, UnderTheGuestFilter) {
  const auto& program = GetParam();
  if (!Installed(program.needs)) GTEST_SKIP() << "not installed: " << program.needs;
  char directory[] = "/tmp/writ-program-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const auto end = RunUnder(GuestFilter(), [&] {
    if (::chdir(directory) != 0) return 110;
    ::execl("/bin/sh", "sh", "-c", program.script, nullptr);
    return 113;
  });
  std::error_code ignored;  // what is left in /tmp is no failure of the filter
  std::filesystem::remove_all(directory, ignored);
  EXPECT_EQ(end.exit_code, 0) << end.output << "\nsignal " << end.signal;
  EXPECT_THAT(end.output, HasSubstr(program.output));
}

}  // namespace
}  // namespace writ::seccomp
