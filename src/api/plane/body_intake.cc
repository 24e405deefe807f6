#include "api/plane/body_intake.h"

#include <algorithm>
#include <array>
#include <utility>

#include "plane/claim_token.h"

namespace writ::api {
namespace {

/// A runner writes its claim token first; so much is looked at on the caller's thread.
constexpr std::size_t kLookBytes = 8u << 10;

/// A set of bytes, to find the first of them without a search for each.
class Bytes {
 public:
  constexpr explicit Bytes(std::string_view set) {
    for (const char c : set) has_[static_cast<unsigned char>(c)] = true;
  }
  std::size_t FirstIn(std::string_view text, std::size_t at) const {
    while (at < text.size() && !has_[static_cast<unsigned char>(text[at])]) ++at;
    return at < text.size() ? at : text.npos;
  }

 private:
  std::array<bool, 256> has_{};
};
constexpr Bytes kStringStops("\"\\"), kStructure("\"{}[],");

/// Position after a string whose first character is at `at`; npos when it does not end.
std::size_t AfterString(std::string_view text, std::size_t at) {
  for (;;) {
    at = kStringStops.FirstIn(text, at);
    if (at == text.npos || text[at] == '"') return at == text.npos ? at : at + 1;
    at += 2;
  }
}

std::size_t SkipSpace(std::string_view text, std::size_t at) { return std::min(text.find_first_not_of(" \t\r\n", at), text.size()); }

}  // namespace

std::optional<std::string_view> FindPlainMember(std::string_view text, std::string_view name) {
  std::size_t at = SkipSpace(text, 0);
  if (at == text.size() || text[at] != '{') return std::nullopt;
  ++at;
  std::size_t depth = 1;
  bool name_next = true;
  while (at < text.size()) {
    // What is no string, bracket or comma only fills the space between them: whether it is JSON is judged later.
    at = kStructure.FirstIn(text, at);
    if (at == text.npos) return std::nullopt;
    const char c = text[at];
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return std::nullopt;
    if (c == ',') name_next = depth == 1;
    if (c != '"') {
      ++at;
      continue;
    }
    const std::size_t end = AfterString(text, at + 1);
    if (end == text.npos) return std::nullopt;
    const bool found = std::exchange(name_next, false) && depth == 1 && text.substr(at + 1, end - at - 2) == name;
    at = end;
    if (!found) continue;
    at = SkipSpace(text, at);
    if (at == text.size() || text[at] != ':') return std::nullopt;
    at = SkipSpace(text, at + 1);
    if (at == text.size() || text[at] != '"') return std::nullopt;
    const std::size_t value_end = AfterString(text, at + 1);
    if (value_end == text.npos) return std::nullopt;
    const std::string_view value = text.substr(at + 1, value_end - at - 2);
    return value.contains('\\') ? std::nullopt : std::optional(value);
  }
  return std::nullopt;
}

BodyIntake::BodyIntake(PlaneWorker& worker) : worker_(worker) {
  for (std::size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Run(); });
}

BodyIntake::~BodyIntake() { Stop(); }

void BodyIntake::Stop() {
  std::deque<std::unique_ptr<Job>> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
  }
  wake_.notify_all();
  for (auto& job : left) {
    job->answer = BusyReply();
    job->SendAnswer();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void BodyIntake::Take(std::unique_ptr<Job> job) {
  const Route& route = *job->match.route;
  const std::size_t bytes = job->call.body.size();
  if (route.body != Body::kJson) return Post(std::move(job));
  const bool anybody = route.capability == plane::Capability::kNone && !route.claim_token;
  const bool bounded = route.prepare == nullptr;
  if ((bounded && bytes > kBodyBytesMax) || ((anybody || route.may_wait) && bytes > kOpenBodyBytesMax)) {
    job->answer = ReplyFor({.status = 413, .error = "body too large"});
    return job->SendAnswer();
  }
  if (bytes <= kAtOnceMax) return ReadAndPost(std::move(job));
  job->kind = Job::Kind::kAdmit;
  job->admitted = [this](std::unique_ptr<Job> let_in) { Later(std::move(let_in)); };
  if (!route.claim_token) return Post(std::move(job));
  const auto token = FindPlainMember(std::string_view(job->call.body).substr(0, kLookBytes), "claimToken");
  if (!token) return Later(std::move(job));  // it is looked for on a thread that nobody waits for
  job->claim_token = *token;
  Post(std::move(job));
}

/// On a thread of this object: a call whose sender is still unknown, or one that was let in.
void BodyIntake::Admit(std::unique_ptr<Job> job) {
  if (job->kind == Job::Kind::kCall) return ReadAndPost(std::move(job));
  if (const auto token = FindPlainMember(job->call.body, "claimToken"); token && token->size() <= plane::kClaimTokenBytesMax)
    job->claim_token = *token;
  Post(std::move(job));
}

void BodyIntake::Later(std::unique_ptr<Job> job) {
  const std::size_t bytes = job->call.body.size();
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && (waiting_.empty() || waiting_bytes_ + bytes <= kWaitingBytesMax)) {
      waiting_bytes_ += bytes;
      waiting_.push_back(std::move(job));
    }
  }
  if (job == nullptr) return wake_.notify_one();
  job->answer = BusyReply();
  job->SendAnswer();
}

void BodyIntake::Run() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
      waiting_bytes_ -= job->call.body.size();
    }
    Admit(std::move(job));
  }
}

void BodyIntake::ReadAndPost(std::unique_ptr<Job> job) {
  const Route& route = *job->match.route;
  if (route.prepare != nullptr) job->prepared = route.prepare(job->call, job->body);
  else ParseBody(job->call, job->body);
  Post(std::move(job));
}

void BodyIntake::Post(std::unique_ptr<Job> job) {
  if (worker_.Post(job)) return;
  job->answer = BusyReply();
  job->SendAnswer();
}

}  // namespace writ::api
