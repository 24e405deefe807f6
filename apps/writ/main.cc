// The command line program. What it can run is decided here: one backend per tier.
#include "cli/main.h"
#include "isolation/process/process_backend.h"

namespace {

using writ::Result;
using Backends = std::vector<std::unique_ptr<writ::isolation::Backend>>;

Result<Backends> StartBackends() {
  Backends backends;
  // One cell is made while this process opens its store and signs the contract; none after it.
  backends.push_back(WRIT_TRY("start writ-jail", writ::isolation::process::ProcessBackend::Create(
                                                     {.path = "", .warm_cells = 1, .refill = false, .one_run = true, .delegated_cgroup = ""})));
  return backends;
}

Result<> Confine(writ::cli::Network network) {
  using writ::isolation::process::ClientNetwork;
  return writ::isolation::process::ConfineClient(network == writ::cli::Network::kOut ? ClientNetwork::kOut : ClientNetwork::kNone);
}

}  // namespace

int main(int argc, char** argv) {
  const writ::cli::Wiring wiring{.start_backends = StartBackends, .confine = Confine};
  return writ::cli::Main(argc, argv, wiring);
}
