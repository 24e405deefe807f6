// What the store costs a run, beside what the disk charges for a plain synced append (the least any durable log can
// cost). All are interleaved in one run, so that a drifting machine changes all alike; medians.
// Usage: storage_bench [ROUNDS]              the cost of one run and its parts
//        storage_bench events [MILLIONS]    how fast a plane can append events, along one chain and in groups

#include <fcntl.h>
#include <time.h>
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

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double CpuSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Hashes and texts that are made beforehand, so that only the store is measured.
struct Chain {
  std::vector<std::string> hashes, texts;
  std::vector<NewEvent> batch;

  Chain() {
    for (int i = 0; i < 1001; ++i) hashes.push_back(Hash(std::to_string(i)));
    for (int i = 0; i < 1000; ++i) {
      texts.push_back(fmt::format(R"({{"event":{{"path":"{}","type":"file.written"}},"hash":"{}","prev":"{}",)"
                                  R"("seq":{:07},"ts":"2026-01-02T03:04:05.678Z","version":"warrant.event.v1"}})",
                                  std::string(40, 'p'), hashes[0], hashes[1], i));
    }
  }
  /// Events `from`.. that follow `head`, which becomes the last one's hash.
  std::span<const NewEvent> Next(std::uint64_t from, std::size_t count, std::string& head) {
    batch.clear();
    std::string_view prev = head;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& hash = hashes[(from + i) % 1001];
      batch.push_back({.seq = from + i, .prev = prev, .hash = hash, .text = texts[i]});
      prev = hash;
    }
    last = std::string(prev);
    return batch;
  }
  std::string last;
};

/// Along one chain: batches of 1000, one durable commit each. A line per tenth of the way: it must be flat.
void Batches(Store& store, Chain& chain, std::uint64_t events) {
  std::string head = Hash("c");
  {
    const auto transaction = Must(store.Begin());
    Must(transaction->CreateRun({.id = "run_chain"}));
    Must(transaction->SetContract("run_chain", "c", head));
    Must(transaction->Commit(Durability::kDurable));
  }
  fmt::print("one chain of {} events of {} bytes, batches of 1000, each durable\n", events, chain.texts[0].size());
  for (std::uint64_t seq = 0, part = 1; part <= 10; ++part) {
    const double start = Seconds(), cpu = CpuSeconds();
    const std::uint64_t from = seq;
    std::vector<double> millis;
    for (; seq < events * part / 10; seq += 1000) {
      const double begin = Seconds();
      const auto transaction = Must(store.Begin());
      Must(transaction->AppendEvents("run_chain", chain.Next(seq, 1000, head)));
      Must(transaction->Commit(Durability::kDurable));
      head = chain.last;
      millis.push_back((Seconds() - begin) * 1e3);
    }
    std::ranges::sort(millis);
    const auto count = static_cast<double>(seq - from);
    fmt::print("  to {:>8}: {:>8.0f} events/s, {:.2f} us CPU each; a batch {:.1f} ms, 99 % {:.1f} ms, "
               "at most {:.1f} ms\n",
               seq, count / (Seconds() - start), (CpuSeconds() - cpu) / count * 1e6, millis[millis.size() / 2],
               millis[millis.size() * 99 / 100], millis.back());
  }
}

/// 16 callers' single events in one durable commit, as a plane groups them, each within its own change.
void Groups(Store& store, Chain& chain, int groups, int log) {
  std::vector<std::string> ids, heads;
  for (int i = 0; i < 16; ++i) {
    ids.push_back(fmt::format("run_group_{}", i));
    heads.push_back(Hash("c"));
    const auto transaction = Must(store.Begin());
    Must(transaction->CreateRun({.id = ids.back()}));
    Must(transaction->SetContract(ids.back(), "c", heads.back()));
    Must(transaction->Commit(Durability::kDurable));
  }
  const std::string plain(16 * chain.texts[0].size(), 'x');
  double peer = 0, cpu = 0, all = 0;
  std::vector<double> millis;
  for (int group = 0; group < groups; ++group) {
    const double plain_begin = Seconds();
    Must(sys::WriteAll(log, plain));
    if (::fdatasync(log) != 0) Die("fdatasync");
    const double begin = Seconds(), cpu_begin = CpuSeconds();
    peer += begin - plain_begin;
    const auto transaction = Must(store.Begin());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Must(transaction->Within([&]() -> Result<bool> {
        Must(transaction->AppendEvents(ids[i], chain.Next(static_cast<std::uint64_t>(group), 1, heads[i])));
        return true;
      }));
      heads[i] = chain.last;
    }
    Must(transaction->Commit(Durability::kDurable));
    all += Seconds() - begin;
    cpu += CpuSeconds() - cpu_begin;
    millis.push_back((Seconds() - begin) * 1e3);
  }
  std::ranges::sort(millis);
  const double count = groups * 16.0;
  fmt::print("groups of 16 single events, each durable: {:.0f} events/s, {:.1f} us CPU each; a group {:.2f} ms, "
             "99 % {:.2f} ms, at most {:.1f} ms; {:.2f} x a plain synced append (peer)\n",
             count / all, cpu / count * 1e6, millis[millis.size() / 2], millis[millis.size() * 99 / 100],
             millis.back(), all / peer);
}

int EventsMain(double millions) {
  const auto directory = Must(sys::TemporaryDirectory::Create(std::filesystem::current_path(), "storage-bench-"));
  const auto state = Must(StateDir::Open(directory.path() + "/state", StateAccess::kWrite));
  const auto store = Must(OpenSqliteStore(state));
  Chain chain;
  Batches(*store, chain, static_cast<std::uint64_t>(millions * 10) * 100'000);
  const auto log = Must(sys::OpenFile(directory.path() + "/log", O_WRONLY | O_CREAT | O_APPEND, 0600));
  Groups(*store, chain, 2000, log.get());
  return 0;
}

}  // namespace
}  // namespace writ::storage

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "events") {
    const double millions = argc > 2 ? std::atof(argv[2]) : 1;
    if (millions < 0.1) writ::storage::Die("MILLIONS must be a number from 0.1");
    return writ::storage::EventsMain(millions);
  }
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 300;
  if (rounds < 1) writ::storage::Die("ROUNDS must be a number from 1");
  return writ::storage::Main(rounds);
}
