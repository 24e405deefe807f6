// A governed workspace of four files: checked out for the first time, seen before, and a run's changes collected,
// beside the same git commands started plainly on the host. Medians.
// Usage: git_bench [ROUNDS] [FILES]      FILES: so many more in the repository

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "crypto/digest.h"
#include "isolation/process/process_backend.h"
#include "session/checkout_cache.h"
#include "session/git_collect.h"
#include "sys/file.h"

namespace {

using namespace writ;
namespace fs = std::filesystem;

[[noreturn]] void Die(const std::string& what) {
  fmt::print(stderr, "git_bench: {}\n", what);
  std::exit(1);
}

template <class T>
T Take(Result<T> result) {
  if (!result) Die(result.error().what);
  return *std::move(result);
}

class FolderBlobs final : public workspace::BlobSource {
 public:
  explicit FolderBlobs(fs::path folder) : folder_(std::move(folder)) {}
  Result<sys::UniqueFd> Open(std::string_view sha256) override {
    return sys::OpenFile((folder_ / sha256).string(), O_RDONLY);
  }

 private:
  fs::path folder_;
};

struct NoSink final : isolation::OutputSink {
  Result<> Write(isolation::Stream, ByteView) override { return {}; }
  Result<> Truncated(isolation::Stream) override { return {}; }
};

double Milliseconds(const std::function<void()>& body) {
  const auto before = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before).count();
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void Shell(const std::string& script) {
  const std::string command =
      "set -e; export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b "
      "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; " +
      script;
  if (std::system(command.c_str()) != 0) Die("failed: " + script);
}

std::string Keep(const fs::path& blobs, const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::string hash = crypto::Sha256Hex(bytes);
  std::ofstream(blobs / hash, std::ios::binary) << bytes;
  return hash;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 20;
  const int files = argc > 2 ? std::max(0, std::atoi(argv[2])) : 0;
  auto backend =
      Take(isolation::process::ProcessBackend::Create({.path = "", .warm_cells = 2, .delegated_cgroup = ""}));
  const auto scratch = Take(sys::TemporaryDirectory::Create(fs::temp_directory_path().string(), "git-bench-"));
  const fs::path at = scratch.path();
  Shell(fmt::format(
      "mkdir {0}/repo {0}/blobs; cd {0}/repo; git init -q .; mkdir src; echo r > README.md; echo one > src/a.txt; "
      "echo ignored/ > .gitignore; echo c > src/c.txt; "
      "for i in $(seq {1}); do d=m/$((i / 1000)); [ -d $d ] || mkdir -p $d; echo $i > $d/$i; done; git add -A; git commit -qm one; "
      "git bundle create -q ../bundle HEAD; git rev-parse HEAD > ../head",
      at.string(), files));
  contract::WorkspaceManifest manifest;
  std::ifstream(at / "head") >> manifest.base_ref;
  manifest.bundle_hash = Keep(at / "blobs", at / "bundle");
  FolderBlobs blobs(at / "blobs");
  session::CheckoutOptions options;
  options.bytes_max = 1;  // what nobody uses is removed, so that the next round sees it for the first time
  std::vector<double> plain, first, seen, untouched, collected;
  for (int i = 0; i < rounds; ++i) {
    const std::string cache_path = (at / fmt::format("cache{}", i)).string();
    auto cache = Take(session::CheckoutCache::Open(cache_path, options));
    std::shared_ptr<const session::Checkout> checkout;
    const auto get = [&] { checkout = Take(cache->Get(manifest, blobs, *backend, Deadline::After(Millis{60'000}))); };
    plain.push_back(Milliseconds([&] {
      Shell(
          fmt::format("cd {}; rm -rf plain; git -c advice.detachedHead=false clone --quiet bundle plain; cd plain; git "
                      "checkout --quiet {}",
                      at.string(), manifest.base_ref));
    }));
    first.push_back(Milliseconds(get));
    seen.push_back(Milliseconds(get));
    const auto run = [&](const char* script, std::vector<double>& times) {
      isolation::SessionSpec spec;
      spec.argv = {"/bin/sh", "-c", script};
      spec.env = {"PATH=/usr/bin:/bin"};
      spec.accepted = options.git.accepted;
      spec.workspace = isolation::Layer{checkout->path, Take(sys::OpenDirectory(checkout->path))};
      NoSink sink;
      const auto session = Take(backend->Start(std::move(spec), sink));
      static_cast<void>(Take(session->Wait(Deadline::After(Millis{60'000}))));
      const auto tree = Take(session->Tree(isolation::Place::kWorkspace));
      times.push_back(Milliseconds([&] {
        static_cast<void>(
            Take(session::CollectGit(*checkout, &tree, *backend, options.git, Deadline::After(Millis{60'000}))));
      }));
    };
    run("echo hi", untouched);
    run("echo two >> src/a.txt; echo n > n.txt", collected);
  }
  fmt::print("clone and checkout, plain on the host   {:7.2f} ms\n", Median(plain));
  fmt::print("checkout in a cell, first seen          {:7.2f} ms   {:.2f} of plain\n", Median(first),
             Median(first) / Median(plain));
  fmt::print("checkout seen before                    {:7.2f} ms\n", Median(seen));
  fmt::print("collect, nothing changed                {:7.2f} ms\n", Median(untouched));
  fmt::print("collect in a cell, two files changed    {:7.2f} ms\n", Median(collected));
  return 0;
}
