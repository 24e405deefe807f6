#include "api/plane/plane_service.h"

#include <condition_variable>
#include <mutex>

#include "api/plane/body_intake.h"
#include "api/plane/plane_worker.h"
#include "plane/identity.h"
#include "storage/blobs/directory.h"
#include "storage/run_lock.h"
#include "storage/sqlite/open.h"

namespace writ::api {
class PlaneService::Impl {
 public:
  explicit Impl(PlaneOptions given) : options(std::move(given)) {}
  ~Impl() {
    if (intake) intake->Stop();
    worker.reset();  // its thread may still give calls back to the intake
  }

  PlaneOptions options;
  SystemClock system_clock{};
  std::optional<storage::StateDir> directory{};
  std::optional<storage::RunLock> lock{};
  std::unique_ptr<storage::Store> store{};
  std::unique_ptr<storage::BlobStore> blobs{};
  std::unique_ptr<plane::Core> core{};
  std::unique_ptr<PlaneWorker> worker{};
  std::unique_ptr<BodyIntake> intake{};

  Result<> Open() {
    directory.emplace(WRIT_TRY("state directory", storage::StateDir::Open(options.state_dir, storage::StateAccess::kWrite)));
    lock = WRIT_TRY("state directory", storage::RunLock::TryTake(*directory, "plane"));
    if (!lock) return Fail(Code::kUnavailable, "another plane uses the state directory {}", options.state_dir);
    store = WRIT_TRY("store", storage::OpenSqliteStore(*directory));
    if (options.wrap_store) store = options.wrap_store(std::move(store));
    blobs = WRIT_TRY("blobs", storage::OpenBlobDirectory(*directory));
    const Clock& clock = options.clock != nullptr ? *options.clock : system_clock;
    core.reset(new plane::Core{.store = *store,
                               .blobs = *blobs,
                               .clock = clock,
                               .policy = options.policy,
                               .keys = options.keys,
                               .settings = options.settings,
                               .secrets = options.secrets,
                               .idp = options.idp.get(),
                               .fault = options.fault_hook});
    if (!core->secrets)
      core->secrets = [](std::string_view) -> Result<std::optional<crypto::SecretBytes>> { return std::nullopt; };
    if (options.log) core->log = options.log;

    auto transaction = WRIT_TRY("bootstrap principals", store->Begin());
    WRIT_TRY("start", plane::AssertBootstrap(*store, *transaction, options.admin_token, options.enroll_token, clock.Now()));
    WRIT_TRY("bootstrap principals", transaction->Commit(storage::Durability::kDurable));
    transaction.reset();  // the store belongs to the worker's thread from its start on
    WRIT_TRY("start", plane::Restore(*core));
    worker = std::make_unique<PlaneWorker>(*core);
    intake = std::make_unique<BodyIntake>(*worker);
    worker->Start();
    return {};
  }

  /// Gives a job to the thread, or answers it that there is no room.
  void Post(std::unique_ptr<Job> job) {
    if (worker->Post(job)) return;
    job->answer = BusyReply();
    job->SendAnswer();
  }
};

PlaneService::PlaneService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlaneService::~PlaneService() = default;

Result<std::unique_ptr<PlaneService>> PlaneService::Start(PlaneOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  WRIT_TRY("plane", impl->Open());
  return std::unique_ptr<PlaneService>(new PlaneService(std::move(impl)));
}

void PlaneService::Call(PlaneCall call, Reply reply) {
  auto job = std::make_unique<Job>();
  job->call = std::move(call);
  const auto match = MatchRoute(job->call.method, job->call.path);
  if (!match)
    return reply(ReplyFor({.status = 404, .error = fmt::format("no route for {} {}", job->call.method, job->call.path)}));
  job->match = *match;
  job->reply = std::move(reply);
  impl_->intake->Take(std::move(job));
}

void PlaneService::MayUpload(std::string authorization, std::string address, Refused refused) {
  auto job = std::make_unique<Job>();
  job->kind = Job::Kind::kMayUpload;
  job->call.authorization = std::move(authorization);
  job->call.address = std::move(address);
  job->refused = std::move(refused);
  impl_->Post(std::move(job));
}

storage::BlobStore& PlaneService::blobs() { return *impl_->blobs; }

void PlaneService::Follow(PlaneCall call, std::shared_ptr<FollowSink> sink, Refused refused) {
  auto job = std::make_unique<Job>();
  job->kind = Job::Kind::kFollow;
  job->call = std::move(call);
  job->sink = std::move(sink);
  job->refused = std::move(refused);
  impl_->Post(std::move(job));
}

Result<> PlaneService::Stop(Deadline deadline) {
  if (impl_->worker->Stop(deadline)) return {};
  return Fail(Code::kDeadline, "the plane has not finished what it was asked");
}

Answer<> PlaneService::Do(Work work) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Answer<>> answer;
  auto job = std::make_unique<Job>();
  job->kind = Job::Kind::kWork;
  job->work = std::move(work);
  job->done = [&](Answer<> result) {
    const std::lock_guard lock(mutex);
    answer = std::move(result);
    changed.notify_one();
  };
  if (!impl_->worker->Post(job)) return plane::Plain(503, "the plane is busy or stopping; try again");
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

void PlaneService::Tick() {
  // What is due is done first in every group; work that refuses is a job that changes nothing.
  [[maybe_unused]] const auto ticked = Do([](plane::Core&, plane::Change&) -> Answer<> { return {}; });
}

}  // namespace writ::api
