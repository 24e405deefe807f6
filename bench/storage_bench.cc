// What the store costs a run. Peers, in the same process: a plain append with fdatasync (what any durable log costs on
// this disk), an open and close of an empty file.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "crypto/digest.h"
#include "storage/blobs/directory.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

std::string Hash(std::string_view text) { return crypto::Sha256Hex(text); }
const std::string kGenesis = Hash("plane key");

/// A state directory beside the build, on a real disk, removed at the end.
struct Place {
  Place() : directory(*sys::TemporaryDirectory::Create(std::filesystem::current_path(), "storage-bench-")),
            state(*StateDir::Open(directory.path() + "/state", StateAccess::kWrite)) {}
  sys::TemporaryDirectory directory;
  StateDir state;
};

void Must(const Result<>& done) {
  if (!done) {
    fmt::print(stderr, "{}\n", done.error().what);
    std::abort();
  }
}

void AppendEvents(Transaction& t, const std::string& id, std::string& head, std::uint64_t from, std::uint64_t to) {
  static const std::string kText(350, 'e');
  for (std::uint64_t seq = from; seq < to; ++seq) {
    const std::string hash = Hash(head);
    Must(t.AppendEvent(id, {.seq = seq, .prev = head, .hash = hash, .text = kText}));
    head = hash;
  }
}

/// What one run of twelve events stores: two durable commits, one that is not.
void StoreRun(Store& store, const std::string& id) {
  static const std::string kContract(3000, 'c'), kReceipt(2000, 'r');
  std::string head = Hash(kContract);
  {
    const auto t = *store.Begin();
    if (!t->AppendDecision(kGenesis, {.kind = DecisionKind::kAllow, .run_id = id, .digest = head})) std::abort();
    Must(t->CreateRun({.id = id}));
    Must(t->SetContract(id, kContract, head));
    AppendEvents(*t, id, head, 0, 3);
    Must(t->Commit(Durability::kDurable));
  }
  {
    const auto t = *store.Begin();
    AppendEvents(*t, id, head, 3, 5);
    Must(t->Commit(Durability::kBuffered));
  }
  {
    const auto t = *store.Begin();
    AppendEvents(*t, id, head, 5, 12);
    Must(t->AddArtifact(id, {.kind = "log", .name = "", .hash = head, .bytes = 3}));
    Must(t->SetReceipt(id, kReceipt, head, RunStatus::kCompleted, WallTime(Millis(1))));
    Must(t->Commit(Durability::kDurable));
  }
}

void BM_PeerAppendSynced(benchmark::State& state) {
  const Place place;
  const sys::UniqueFd fd = *sys::OpenFile(place.state.File("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const std::string text(4096, 'x');
  for (auto _ : state) {
    Must(sys::WriteAll(fd.get(), text));
    if (::fdatasync(fd.get()) != 0) std::abort();
  }
}
BENCHMARK(BM_PeerAppendSynced)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_RunOnOpenStore(benchmark::State& state) {
  const Place place;
  const auto store = *OpenSqliteStore(place.state);
  int n = 0;
  for (auto _ : state) StoreRun(*store, fmt::format("run_{}", n++));
}
BENCHMARK(BM_RunOnOpenStore)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// What a command from a shell pays: open, one run, close.
void BM_RunWithOpenAndClose(benchmark::State& state) {
  const Place place;
  int n = 0;
  for (auto _ : state) {
    const auto store = *OpenSqliteStore(place.state);
    StoreRun(*store, fmt::format("run_{}", n++));
  }
}
BENCHMARK(BM_RunWithOpenAndClose)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// Opening a store whose log holds the runs named by the argument (23 pages each).
void BM_Open(benchmark::State& state) {
  const Place place;
  {
    const auto store = *OpenSqliteStore(place.state, {.checkpoint_pages = 1 << 30});
    for (int i = 0; i < state.range(0); ++i) StoreRun(*store, fmt::format("run_{}", i));
  }
  for (auto _ : state) {
    const auto store = OpenSqliteStore(place.state, {.checkpoint_pages = 1 << 30});
    if (!store || !(*store)->Unfinished()) std::abort();
  }
}
BENCHMARK(BM_Open)->Arg(0)->Arg(1)->Arg(8)->Arg(40)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_AppendEvent(benchmark::State& state) {
  const Place place;
  const auto store = *OpenSqliteStore(place.state);
  std::string head = Hash("c");
  {
    const auto t = *store->Begin();
    Must(t->CreateRun({.id = "run_1"}));
    Must(t->SetContract("run_1", "c", head));
    Must(t->Commit(Durability::kDurable));
  }
  std::uint64_t seq = 0;
  for (auto _ : state) {
    const auto t = *store->Begin();
    AppendEvents(*t, "run_1", head, seq, seq + 1);
    ++seq;
    Must(t->Commit(Durability::kBuffered));
  }
}
BENCHMARK(BM_AppendEvent)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_PutBlob(benchmark::State& state) {
  const Place place;
  const auto blobs = *OpenBlobDirectory(place.state);
  const auto durability = state.range(0) == 0 ? Durability::kBuffered : Durability::kDurable;
  int n = 0;
  for (auto _ : state) {
    if (!blobs->Put(AsBytes(std::to_string(n++)), durability)) std::abort();
  }
}
BENCHMARK(BM_PutBlob)->ArgName("durable")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace writ::storage

BENCHMARK_MAIN();
