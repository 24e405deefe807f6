// What the store costs a run, beside what the disk charges for a plain synced append (the least any durable log can
// cost). All are interleaved in one run, so that a drifting machine changes all alike; medians.
// Usage: storage_bench [ROUNDS]

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <vector>

#include "crypto/digest.h"
#include "storage/blobs/directory.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

std::string Hash(std::string_view text) { return crypto::Sha256Hex(text); }
const std::string kGenesis = Hash("plane key");

[[noreturn]] void Die(std::string_view what) {
  fmt::print(stderr, "storage_bench: {}\n", what);
  std::exit(1);
}
void Must(const Result<>& done) {
  if (!done) Die(done.error().what);
}
template <class T>
T Must(Result<T> value) {
  if (!value) Die(value.error().what);
  return *std::move(value);
}

void AppendEvents(Transaction& transaction, const std::string& id, std::string& head, std::uint64_t from,
                  std::uint64_t to) {
  static const std::string kText(350, 'e');
  for (std::uint64_t seq = from; seq < to; ++seq) {
    const std::string hash = Hash(head);
    Must(transaction.AppendEvent(id, {.seq = seq, .prev = head, .hash = hash, .text = kText}));
    head = hash;
  }
}

/// What one run of twelve events stores: two durable commits, one that is not.
void StoreRun(Store& store, const std::string& id) {
  static const std::string kContract(3000, 'c'), kReceipt(2000, 'r');
  std::string head = Hash(kContract);
  {
    const auto transaction = Must(store.Begin());
    Must(transaction->AppendDecision(kGenesis, {.kind = DecisionKind::kAllow, .run_id = id, .digest = head}));
    Must(transaction->CreateRun({.id = id}));
    Must(transaction->SetContract(id, kContract, head));
    AppendEvents(*transaction, id, head, 0, 3);
    Must(transaction->Commit(Durability::kDurable));
  }
  {
    const auto transaction = Must(store.Begin());
    AppendEvents(*transaction, id, head, 3, 5);
    Must(transaction->Commit(Durability::kBuffered));
  }
  {
    const auto transaction = Must(store.Begin());
    AppendEvents(*transaction, id, head, 5, 12);
    Must(transaction->AddArtifact(id, {.kind = "log", .name = "", .hash = head, .bytes = 3}));
    Must(transaction->SetReceipt(id, kReceipt, head, RunStatus::kCompleted, WallTime(Millis(1))));
    Must(transaction->Commit(Durability::kDurable));
  }
}

/// One thing that is measured, by its median over all rounds.
struct Measured {
  const char* name;
  std::function<void(int round)> body;
  std::vector<double> micros = {};

  double Median() {
    std::ranges::sort(micros);
    return micros[micros.size() / 2];
  }
};

int Main(int rounds) {
  // Beside the caller, on a real disk: in memory a sync costs nothing.
  const auto directory = Must(sys::TemporaryDirectory::Create(std::filesystem::current_path(), "storage-bench-"));
  const auto place = [&](const char* name) {
    return Must(StateDir::Open(fmt::format("{}/{}", directory.path(), name), StateAccess::kWrite));
  };
  const auto open_state = place("open"), short_state = place("short"), event_state = place("event");
  const auto log = Must(sys::OpenFile(directory.path() + "/log", O_WRONLY | O_CREAT | O_APPEND, 0600));
  const auto store = Must(OpenSqliteStore(open_state));
  const auto event_store = Must(OpenSqliteStore(event_state));
  const auto blobs = Must(OpenBlobDirectory(open_state));
  const std::string page(4096, 'x');
  std::string head = Hash("c");
  {
    const auto transaction = Must(event_store->Begin());
    Must(transaction->CreateRun({.id = "run_1"}));
    Must(transaction->SetContract("run_1", "c", head));
    Must(transaction->Commit(Durability::kDurable));
  }

  Measured all[] = {
      {"plain append of a page, synced (peer)",
       [&](int) {
         Must(sys::WriteAll(log.get(), page));
         if (::fdatasync(log.get()) != 0) Die("fdatasync");
       }},
      {"one run, store open", [&](int round) { StoreRun(*store, fmt::format("run_{}", round)); }},
      {"one run, opening and closing the store",
       [&](int round) {
         const auto opened = Must(OpenSqliteStore(short_state));
         StoreRun(*opened, fmt::format("run_{}", round));
       }},
      {"opening that store and asking for unfinished runs",
       [&](int) {
         const auto opened = Must(OpenSqliteStore(short_state));
         Must(opened->Unfinished());
       }},
      {"one event, not synced",
       [&](int round) {
         const auto transaction = Must(event_store->Begin());
         const auto seq = static_cast<std::uint64_t>(round);
         AppendEvents(*transaction, "run_1", head, seq, seq + 1);
         Must(transaction->Commit(Durability::kBuffered));
       }},
      {"one small blob, not synced",
       [&](int round) { Must(blobs->Put(AsBytes(std::to_string(round)), Durability::kBuffered)); }},
      {"one small blob, durable",
       [&](int round) { Must(blobs->Put(AsBytes(fmt::format("durable {}", round)), Durability::kDurable)); }},
  };
  for (int round = 0; round < rounds; ++round) {
    for (Measured& each : all) {
      const auto start = std::chrono::steady_clock::now();
      each.body(round);
      each.micros.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
    }
  }
  const double peer = all[0].Median();
  fmt::print("{} rounds, medians\n", rounds);
  for (Measured& each : all) {
    fmt::print("{:<52} {:>9.0f} us {:>7.2f} x peer\n", each.name, each.Median(), each.Median() / peer);
  }
  return 0;
}

}  // namespace
}  // namespace writ::storage

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 300;
  if (rounds < 1) writ::storage::Die("ROUNDS must be a number from 1");
  return writ::storage::Main(rounds);
}
