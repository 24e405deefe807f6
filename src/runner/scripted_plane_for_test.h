#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "contract/bundle.h"
#include "contract/chain.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "contract/hash.h"
#include "contract/manifest.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "crypto/digest.h"
#include "sys/unique_fd.h"

namespace writ::runner {

struct ScriptedReply {
  int status = 200;
  std::string body;
  bool drop = false;  ///< close the connection without an answer
};

/// A small plane over real HTTP on loopback that does what a test tells it, honest by default. `extended`: it knows `writ`.
class ScriptedPlane {
 public:
  struct RunSpec {
    canon::Json execution = canon::Json::Of({{"kind", "shell"}, {"script", "true"}});
    std::string agent = "command", pool = "default";
    std::vector<contract::ReleasedSecret> secrets = {};
    contract::Budget budget = {};
    contract::NetworkPolicy network = {};
    contract::WorkspaceManifest workspace = contract::EmptyManifest();
    canon::Json writ = {};
    std::optional<std::string> isolation = {};
    Millis life{60 * 60'000};
  };
  struct Run {
    canon::Json contract, receipt;
    std::string hash, status = "created", token, public_pem;
    canon::Json::Array events;
    std::vector<contract::ReleasedSecret> secrets;
    int beats = 0, event_posts = 0;
  };
  /// May answer instead of the plane, and change what the plane would answer.
  using Before = std::function<std::optional<ScriptedReply>(const std::string& method, const std::string& path, const std::string& body)>;
  using After = std::function<void(const std::string& path, ScriptedReply& reply)>;

  explicit ScriptedPlane(bool extended = true) : extended_(extended), key_(crypto::PrivateKey::Generate()) { Open(0); }
  ~ScriptedPlane() { Vanish(); }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  crypto::PrivateKey& key() { return key_; }

  /// Nobody answers any more: no listener, every connection cut.
  void Vanish() {
    stopping_ = true;
    if (accepter_.joinable()) accepter_.join();
    std::list<std::jthread> threads;
    {
      const std::lock_guard hold(mutex_);
      threads.swap(threads_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    changed_.notify_all();
    threads.clear();
    listener_.Reset();
  }
  void Return() { Open(port_); }

  std::string AddRun(const RunSpec& spec) {
    contract::Contract draft;
    draft.run_id = MakeId("run_");
    draft.issued_at = clock_.Now();
    draft.expires_at = draft.issued_at + spec.life;
    draft.requested_by = {"human", "alice"};
    draft.agent.kind = spec.agent;
    draft.prompt = "x";
    draft.pool = spec.pool;
    draft.workspace = contract::ToJson(spec.workspace);
    draft.policy_hash = std::string(64, 'a');
    for (const auto& secret : spec.secrets) draft.secrets.push_back({secret.name, "pool:default"});
    draft.network = spec.network;
    draft.budget = spec.budget;
    draft.execution = spec.execution;
    draft.isolation = spec.isolation;
    draft.writ = spec.writ;
    auto issued = contract::Issue(draft, key_);
    Run run;
    run.contract = issued->json;
    run.hash = issued->hash;
    run.secrets = spec.secrets;
    const std::lock_guard hold(mutex_);
    Run& kept = runs_[draft.run_id] = std::move(run);
    Add(kept, contract::event::RunCreated());
    Add(kept, contract::event::PolicyEvaluated("allow", "policy allows this run"));
    queue_.push_back(draft.run_id);
    changed_.notify_all();
    return draft.run_id;
  }

  std::string PutBlob(std::string bytes) {
    const std::lock_guard hold(mutex_);
    std::string hash = crypto::Sha256Hex(bytes);
    blobs_[hash] = std::move(bytes);
    return hash;
  }
  void SpoilBlob(const std::string& hash, std::string bytes) {
    const std::lock_guard hold(mutex_);
    blobs_[hash] = std::move(bytes);
  }
  std::string Blob(const std::string& hash) {
    const std::lock_guard hold(mutex_);
    return blobs_.contains(hash) ? blobs_[hash] : "(no blob)";
  }

  Run Get(const std::string& id) {
    const std::lock_guard hold(mutex_);
    return runs_.at(id);
  }
  /// Gives a run away once more, whatever became of it.
  void OfferAgain(const std::string& id) {
    const std::lock_guard hold(mutex_);
    queue_.push_back(id);
    changed_.notify_all();
  }
  bool AwaitStatus(const std::string& id, const std::string& status, Millis patience = Millis{20'000}) {
    std::unique_lock hold(mutex_);
    return changed_.wait_for(hold, patience, [&] { return runs_.at(id).status == status; });
  }
  bool AwaitEnd(const std::string& id, Millis patience = Millis{20'000}) {
    std::unique_lock hold(mutex_);
    return changed_.wait_for(hold, patience, [&] { return !runs_.at(id).receipt.is_null(); });
  }
  std::vector<std::string> EventTypes(const std::string& id) {
    std::vector<std::string> types;
    for (const auto& entry : Get(id).events) types.push_back(*entry.Find("event")->FindString("type"));
    return types;
  }
  /// Problems of the finished run's bundle, verified with the plane's key pinned.
  std::vector<std::string> Problems(const std::string& id) {
    const Run run = Get(id);
    if (run.receipt.is_null()) return {"there is no receipt"};
    const auto bundle = contract::MakeBundle(run.contract, run.receipt, canon::Json(run.events), key_.public_key().Pem(), run.public_pem);
    return contract::VerifyBundle(bundle, {.plane = {contract::Pin::OfKey(key_.public_key())}, .runner = {}}).problems;
  }

  Before before;  ///< set before the plane is used, or while nobody calls
  After after;
  std::function<std::string(std::string path)> rewrite;  ///< of the target of each request, first of all
  bool tell_key = true;
  std::int64_t lease_ms = 30'000, heartbeat_ms = 10'000;
  std::int64_t artifact_bytes = 0;  ///< of results that it takes with a receipt; 0: it says nothing of it
  std::string stop_reason;  ///< guarded by mutex(): heartbeats answer it
  std::mutex& mutex() { return mutex_; }

 private:
  void Open(std::uint16_t port) {
    stopping_ = false;
    listener_ = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_.get(), 64) != 0) ::abort();
    socklen_t length = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    accepter_ = std::jthread([this] { Accept(); });
  }
  void Accept() {
    while (!stopping_) {
      pollfd item{listener_.get(), POLLIN, 0};
      if (::poll(&item, 1, 20) <= 0) continue;
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const std::lock_guard hold(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  }
  void Serve(int fd) {
    std::string buffer;
    while (!stopping_ && One(fd, buffer)) {}
    const std::lock_guard hold(mutex_);
    std::erase(open_, fd);
    ::close(fd);
  }
  bool One(int fd, std::string& buffer) {
    const auto more = [&] {
      char chunk[65536];
      const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
      if (got > 0) buffer.append(chunk, static_cast<std::size_t>(got));
      return got > 0;
    };
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == buffer.npos)
      if (!more()) return false;
    const std::string head = buffer.substr(0, end);
    std::size_t length = 0;
    for (const char* name : {"Content-Length: ", "content-length: "})
      if (const auto at = head.find(name); at != head.npos) length = std::stoul(head.substr(at + 16));
    while (buffer.size() < end + 4 + length)
      if (!more()) return false;
    const std::string body = buffer.substr(end + 4, length);
    buffer.erase(0, end + 4 + length);
    const std::size_t space = head.find(' ');
    const std::string method = head.substr(0, space);
    std::string path = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
    if (rewrite) path = rewrite(std::move(path));
    ScriptedReply reply;
    std::optional<ScriptedReply> own;
    if (before) own = before(method, path, body);
    reply = own ? *own : Answer(method, path, body);
    if (after && !own) after(path, reply);
    if (reply.drop || stopping_) return false;
    const std::string text = fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", reply.status,
                                         reply.body.size(), reply.body);
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t sent = ::send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      done += static_cast<std::size_t>(sent);
    }
    return true;
  }

  static ScriptedReply Refuse(int status, std::string_view text) { return {status, canon::Compact(canon::Json::Of({{"error", text}}))}; }
  static ScriptedReply Good(const canon::Json& json) { return {200, canon::Compact(json)}; }
  static std::string Text(const canon::Json& json, std::string_view name) {
    const auto* text = json.FindString(name);
    return text == nullptr ? "" : *text;
  }
  void Add(Run& run, canon::Json event) {
    const std::string prev = run.events.empty() ? run.hash : Text(run.events.back(), "hash");
    auto chain = contract::EventChain::Resume(run.events.size(), prev);
    run.events.push_back(*chain.Append(clock_.Now(), std::move(event)));
  }

  ScriptedReply Answer(const std::string& method, const std::string& path, const std::string& body) {
    std::unique_lock hold(mutex_);
    if (method == "GET" && path.starts_with("/v1/blobs/")) {
      const auto found = blobs_.find(path.substr(10));
      return found == blobs_.end() ? Refuse(404, "blob not found") : ScriptedReply{200, found->second};
    }
    if (path == "/v1/blobs") {
      const std::string hash = crypto::Sha256Hex(body);
      blobs_[hash] = body;
      return Good(canon::Json::Of({{"hash", hash}}));
    }
    const auto json = canon::Parse(body, canon::Mode::kStrict);
    if (!json) return Refuse(400, "request body is not valid JSON");
    if (path == "/v1/runners/enroll") return Enroll(*json);
    if (path == "/v1/claims") return Claim(*json, hold);
    if (path == "/v1/claims/end" && extended_) {
      ++claims_ended_;
      changed_.notify_all();
      return Good(canon::Json::Of({{"ok", true}}));
    }
    const std::size_t slash = path.rfind('/');
    const std::string id = path.substr(9, slash - 9), what = path.substr(slash + 1);
    const auto run = runs_.find(id);
    if (run == runs_.end()) return Refuse(404, "run not found");
    if (Text(*json, "claimToken") != run->second.token) return Refuse(401, "claim token signature invalid");
    if (what == "events") return Events(run->second, *json);
    if (what == "complete") return Complete(run->second, *json);
    if (!extended_) return Refuse(404, "no route");
    if (what == "heartbeat") {
      ++run->second.beats;
      canon::Json writ = canon::Json::Of({{"v", 1}, {"leaseMs", lease_ms}, {"stop", false}});
      if (!stop_reason.empty()) writ.Set("stop", stop_reason);
      return Good(canon::Json::Of({{"claimToken", run->second.token}, {"writ", std::move(writ)}}));
    }
    if (what == "log") return Good(canon::Json::Of({{"ok", true}}));
    return Refuse(404, "no route");
  }
  ScriptedReply Enroll(const canon::Json& json) {
    if (Text(json, "enrollToken") != "enroll-me") return Refuse(400, "invalid enroll token");
    public_pem_ = Text(json, "publicKeyPem");
    canon::Json answer = canon::Json::Of({{"runnerId", "rnr_1"}, {"runnerToken", "runner-token"}});
    if (extended_) {
      canon::Json writ = canon::Json::Of({{"v", 1}});
      if (tell_key) writ.Set("planePublicKeyPem", key_.public_key().Pem());
      answer.Set("writ", std::move(writ));
    }
    return Good(answer);
  }
  ScriptedReply Claim(const canon::Json& json, std::unique_lock<std::mutex>& hold) {
    if (Text(json, "runnerToken") != "runner-token") return Refuse(401, "invalid runner token");
    if (const auto* wait = json.Find("waitMs"); wait != nullptr && extended_) {
      const int ended = claims_ended_;
      changed_.wait_for(hold, Millis(static_cast<std::int64_t>(wait->number())),
                        [&] { return stopping_ || !queue_.empty() || claims_ended_ != ended; });
    }
    canon::Json answer = canon::Json::Of({{"empty", true}});
    if (!queue_.empty()) {
      Run& run = runs_.at(queue_.front());
      const std::string id = queue_.front();
      queue_.pop_front();
      if (run.status == "created") {
        Add(run, contract::event::RunClaimed("rnr_1", crypto::KeyIdOfPem(public_pem_)));
        for (const auto& secret : run.secrets) Add(run, contract::event::SecretReleased(secret.name, "pool:default"));
        run.status = "claimed";
        run.token = "token-" + id;
        run.public_pem = public_pem_;
      }
      canon::Json secrets = canon::Json::MakeArray();
      for (const auto& secret : run.secrets) secrets.Append(canon::Json::Of({{"name", secret.name}, {"value", secret.value}}));
      answer = canon::Json::Of({{"runId", id}, {"contract", run.contract}, {"claimToken", run.token}, {"events", canon::Json(run.events)},
                                {"secrets", std::move(secrets)}});
    }
    if (extended_) {
      canon::Json writ = canon::Json::Of({{"v", 1}, {"leaseMs", lease_ms}, {"heartbeatMs", heartbeat_ms}, {"attempt", 1}});
      if (artifact_bytes > 0) writ.Set("artifactBytes", artifact_bytes);
      answer.Set("writ", std::move(writ));
    }
    changed_.notify_all();
    return Good(answer);
  }
  ScriptedReply Events(Run& run, const canon::Json& json) {
    ++run.event_posts;
    for (const canon::Json& entry : json.Find("events")->array()) {
      const auto seq = static_cast<std::size_t>(entry.Find("seq")->number());
      if (extended_ && seq < run.events.size() && run.events[seq] == entry) continue;
      if (!run.receipt.is_null()) return Refuse(409, "run is over; its events are complete");
      auto chain = contract::EventChain::Resume(run.events.size(), Text(run.events.back(), "hash"));
      const auto broken = chain.Accept(entry);
      if (!broken || *broken) return Refuse(400, fmt::format("event chain rejected at seq {}: sequence gap", run.events.size()));
      run.events.push_back(entry);
    }
    if (run.status == "claimed") run.status = "running";
    changed_.notify_all();
    canon::Json answer = canon::Json::Of({{"ok", true}});
    return Good(answer);
  }
  ScriptedReply Complete(Run& run, const canon::Json& json) {
    if (!run.receipt.is_null()) return Refuse(409, "claim token already used for completion");
    if (extended_ && json.Find("events") != nullptr)
      if (auto taken = Events(run, json); taken.status != 200) return taken;
    if (const canon::Json* artifacts = json.Find("artifacts"); artifacts != nullptr && artifact_bytes > 0) {
      for (const canon::Json& artifact : artifacts->array()) {
        std::string bytes = *Base64DecodeLenient(artifact.string());
        blobs_[crypto::Sha256Hex(bytes)] = std::move(bytes);
      }
    }
    canon::Json receipt = *json.Find("receipt");
    const auto problems = contract::CheckRunnerReceipt(run.contract, run.hash, receipt, canon::Json(run.events), run.public_pem);
    if (!problems.empty()) return Refuse(400, fmt::format("receipt runner verification failed: {}", fmt::join(problems, "; ")));
    if (!contract::AppendSignature(receipt, contract::kSignerPlane, key_)) return Refuse(500, "internal server error");
    run.receipt = receipt;
    run.status = Text(receipt, "status");
    changed_.notify_all();
    return Good(canon::Json::Of({{"receipt", receipt}}));
  }

  const bool extended_;
  crypto::PrivateKey key_;
  SystemClock clock_;
  std::uint16_t port_ = 0;
  sys::UniqueFd listener_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::jthread> threads_;
  std::vector<int> open_;
  std::map<std::string, Run> runs_;
  std::deque<std::string> queue_;
  int claims_ended_ = 0;  ///< calls that wanted waiting claims answered
  std::map<std::string, std::string> blobs_;
  std::string public_pem_;
  std::jthread accepter_;
};

}  // namespace writ::runner
