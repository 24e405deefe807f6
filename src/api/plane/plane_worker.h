#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/plane/followers.h"
#include "api/plane/live_logs.h"
#include "api/plane/plane_service.h"
#include "api/plane/route.h"

namespace writ::api {

/// Something for the plane's thread to do.
struct Job {
  enum class Kind : std::uint8_t { kCall, kMayUpload, kFollow, kWork };
  Kind kind = Kind::kCall;
  PlaneCall call{};
  RouteMatch match{};                        ///< views into call.path
  std::optional<Result<canon::Json>> body{};  ///< parsed before the job got here
  std::shared_ptr<void> prepared{};
  PlaneService::Reply reply{};
  PlaneService::Refused refused{};
  std::shared_ptr<FollowSink> sink{};
  PlaneService::Work work{};
  std::function<void(plane::Answer<>)> done{};  ///< for kWork

  MonoTime waits_until{};                ///< of a call that waits
  std::optional<PlaneReply> answer{};    ///< once it is known; sent after the commit
  bool depends = false;                  ///< on what the group has changed: 503 when that cannot be stored
};

/// The plane's thread: takes what waits, runs it in one transaction, commits once, answers.
class PlaneWorker {
 public:
  static constexpr std::size_t kGroupMax = 256;
  static constexpr std::size_t kInboxMax = 20000;
  static constexpr std::size_t kInboxBytesMax = 512u << 20;
  static constexpr std::size_t kWaitingMax = 10000;

  /// `core` is borrowed.
  explicit PlaneWorker(plane::Core& core);
  ~PlaneWorker();

  void Start();
  /// Any thread. False when there is no room or the plane has stopped; the job is then untouched.
  bool Post(std::unique_ptr<Job>& job);
  /// Any thread. Finishes what has arrived. False when the thread was not done by then.
  bool Stop(Deadline deadline);

 private:
  struct Group;
  void Run();
  std::vector<std::unique_ptr<Job>> Collect();
  void RunGroup(std::vector<std::unique_ptr<Job>> jobs);
  void RunChores(Group& group);
  void RunCall(Group& group, std::unique_ptr<Job> job);
  void RunFollow(Job& job);
  void ServeWaiting(Group& group);
  void EndWaiting(Group& group, bool all);
  void Finish(Group& group);
  /// Runs `change` as a part of the group's transaction that is undone alone when it fails.
  plane::Answer<> InGroup(Group& group, const std::function<plane::Answer<>(plane::Change&)>& change);
  plane::Answer<> Begin(Group& group);
  void GiveUp(Group& group, Error error);
  std::optional<MonoTime> NextDue() const;

  plane::Core& core_;
  LiveLogs logs_;
  Followers followers_;
  std::map<std::string, std::list<std::unique_ptr<Job>>, std::less<>> waiting_;  ///< by pool, in order of arrival
  std::size_t waiting_count_ = 0;
  std::vector<std::string> queued_pools_;
  std::vector<MonoTime> chores_due_;
  bool tidy_wanted_ = false;

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable wake_, finished_;
  std::deque<std::unique_ptr<Job>> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool stopping_ = false, ended_ = false;

  std::thread thread_;
};

}  // namespace writ::api
