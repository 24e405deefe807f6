#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/plane/followers.h"
#include "api/plane/job.h"
#include "api/plane/live_logs.h"
#include "api/plane/waiting_calls.h"

namespace writ::api {

/// The plane's thread: takes what waits, runs it in one transaction, commits once, answers.
class PlaneWorker {
 public:
  static constexpr std::size_t kGroupMax = 256;
  static constexpr std::size_t kInboxMax = 20000;
  static constexpr std::size_t kInboxBytesMax = 512u << 20;
  /// What ends because time has passed waits this long for others that end too, to share their commit...
  static constexpr Millis kGather{50};
  /// ...and this long after the store could not keep it.
  static constexpr Millis kOverRetry{1000};

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
  void RunAdmit(Group& group, std::unique_ptr<Job> job);
  void RunFollow(Job& job);
  void ServeWaiting(Group& group);
  void EndWaiting(Group& group, std::vector<std::unique_ptr<Job>> jobs);
  void Finish(Group& group);
  /// Runs `change` as a part of the group's transaction that is undone alone when it fails.
  plane::Answer<> InGroup(Group& group, const std::function<plane::Answer<>(plane::Change&)>& change);
  plane::Answer<> Begin(Group& group);
  void GiveUp(Group& group, Error error);
  void Doubt(Error error);
  /// Answers everything with why nothing is served any more.
  void RefuseAll(std::vector<std::unique_ptr<Job>> jobs);
  std::optional<MonoTime> NextOver() const;
  std::optional<MonoTime> NextDue() const;

  plane::Core& core_;
  LiveLogs logs_;
  Followers followers_;
  WaitingCalls waiting_;
  std::vector<std::string> happened_;       ///< what waiting calls are to be asked again for
  std::vector<std::string> waits_no_more_;  ///< runners whose waiting calls are to be answered
  MonoTime over_not_before_{};
  /// Set once the store is in doubt: what memory says may not be what survives, so nothing is served until a new start
  /// has read it again.
  std::optional<Error> in_doubt_;
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
