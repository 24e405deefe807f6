#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "isolation/fake/fake_backend.h"

namespace writ::isolation::fake {

/// Plays one Script. Steps happen inside Wait, one after the other, on its thread.
class FakeSession final : public Session {
 public:
  /// `directory` is this session's own and is removed with it.
  FakeSession(SessionSpec spec, Script script, OutputSink& sink, std::filesystem::path directory);
  ~FakeSession() override;

  Result<Outcome> Wait(Deadline deadline) override;
  void Kill(Termination how) noexcept override;
  void Resize(SessionSpec::Terminal size) noexcept override;
  const Guarantees& guarantees() const noexcept override { return guarantees_; }
  Result<GuestTree> Tree(Place place) override;
  Result<NetworkDoors> TakeDoors() override;

 private:
  enum class Progress : std::uint8_t { kDone, kAgain, kEnded };
  Result<Progress> Play(const Step& step, Deadline deadline);
  Result<> Emit(Stream stream, ByteView bytes);
  Result<Progress> PassTime(Millis duration, Deadline deadline);
  std::optional<Termination> killed();
  std::filesystem::path PathOf(Place place, const std::string& path) const;

  SessionSpec spec_;
  Script script_;
  OutputSink& sink_;
  std::filesystem::path directory_;
  Guarantees guarantees_;
  sys::LocalTreeOpener opener_;
  std::size_t next_step_ = 0;
  std::optional<MonoTime> sleep_until_;
  MonoTime started_;
  Outcome outcome_;
  bool ended_ = false;

  std::mutex mutex_;                    ///< guards kill_
  std::condition_variable kill_change_;
  std::optional<Termination> kill_;
};

}  // namespace writ::isolation::fake
