#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "harness.h"

namespace writ::net_test {

/// A network of the test's own, with servers: nothing in it can leave the machine. Every address below is one of `lo`.
///   public.test, other.test   93.184.215.14      private.test   10.7.7.7      metadata.test   169.254.169.254
///   loop.test                 127.0.0.1          two.test       93.184.215.14 and 10.7.7.7
/// Other names are asked of a name server that knows *.answers.test (93.184.215.14) and nothing else. HTTP is on ports
/// 80 and 8080, HTTPS on 8443, gRPC on 8444, HTTP/2 on 8445, see outside.py. Needs root; destruction ends all of it.
class Outside {
 public:
  Outside();
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  std::string File(const std::string& name) const { return machine_.File("outside/" + name); }
  void Serve(const std::string& name, std::string_view content) const;  ///< at /NAME
  /// Lines that the servers wrote and that start with `start`.
  std::vector<std::string> Arrived(std::string_view start) const;

  /// Runs a program of the host in this network; -1 is a failed test.
  cli_test::Ended Host(const std::vector<std::string>& argv) const;
  /// Runs `writ` in this network, as root or as the user WRIT_TEST_UID.
  cli_test::Ended Writ(const std::vector<std::string>& arguments) const { return Start(arguments).Wait(); }
  /// The same, of another program of bin/ or over another state directory, and not waited for.
  cli_test::Process Start(const std::vector<std::string>& arguments, const std::string& program = "writ", std::string state = {}) const;
  std::string Home(const std::string& name) const { return machine_.File("home/" + name); }  ///< that user's
  /// `--accept` words that a run here needs.
  const std::vector<std::string>& accept() const { return accept_; }

 private:
  cli_test::StartOptions Options() const;
  void MakeNetwork();
  void StartServers();

  cli_test::Machine machine_;
  pid_t holder_ = -1;  ///< lives in the namespaces, and keeps them
  sys::UniqueFd network_, mounts_, stdin_end_;
  std::optional<cli_test::Process> servers_;
  std::vector<std::string> accept_;
};

/// Of a secret, which no guest ever sees.
inline const std::string kSecretValue = "v4lue-that-stays-outside";
/// First line of a script whose clients find the way out by themselves.
inline const std::string kNoProxy = "unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY\n";

/// A run that has ended, and its evidence, which `writ verify` has checked.
struct Job {
  cli_test::Ended ended;
  canon::Json bundle;

  /// Attempts in the chain, one line each: `HOST:PORT VIA DECISION RULE`.
  std::vector<std::string> attempts() const;
  /// Bytes that came from and went to a host by the receipt; nothing when it is not listed.
  struct Use {
    std::uint64_t connections = 0, refused = 0, bytes_in = 0, bytes_out = 0;
  };
  std::optional<Use> UseOf(const std::string& host, std::uint16_t port) const;
  std::string Receipt(std::string_view member) const;  ///< of receipt.writ; compact JSON
};

/// `writ run WHERE OPTIONS -- sh -c SCRIPT`; `where` (`--plane NAME`) stands in the commands that ask for the evidence too.
Job RunJob(const Outside& outside, std::vector<std::string> options, const std::string& script,
           const std::vector<std::string>& where = {});

/// Why a test with these programs cannot run, or nothing.
std::string WhyNot(const std::vector<std::string>& programs);

}  // namespace writ::net_test

/// First line of a test: the programs of the host that it needs besides /usr/bin/python3 and /usr/bin/openssl.
#define WRIT_NEEDS_CLIENTS(...) \
  if (const std::string why = ::writ::net_test::WhyNot({__VA_ARGS__}); !why.empty()) GTEST_SKIP() << why
