#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace writ::plane {

/// Locks out who fails to authenticate: 20 failures within 60 s lock for 60 s. Failures count per address and name:
/// the name is the principal's, or `kUnknown` for all tokens that nobody has. So bad tokens from an address lock out
/// what comes from there with tokens that were not seen there before, while a principal that has been let in from
/// there goes on. Bounded: beyond `entries_max` pairs the one touched longest ago is forgotten. One thread.
class Lockout {
 public:
  static constexpr std::string_view kUnknown = "";
  static constexpr std::size_t kFailuresMax = 20;
  static constexpr Millis kWindow{60000}, kLock{60000};

  explicit Lockout(std::size_t entries_max = 100000) : entries_max_(entries_max) {}

  /// Whether a call from `address` with a token that nobody has must be turned away unjudged.
  bool UnknownLocked(std::string_view address, MonoTime now) const;
  /// Whether this principal's calls from there must be: its own failures count, and those of unknown tokens if it
  /// was never let in from there.
  bool Locked(std::string_view address, std::string_view name, MonoTime now) const;
  void Failed(std::string_view address, std::string_view name, MonoTime now);
  /// Clears the pair's failures and remembers that it was let in.
  void LetIn(std::string_view address, std::string_view name, MonoTime now);

  std::size_t size() const { return pairs_.size(); }

 private:
  struct Pair {
    std::deque<MonoTime> failures;
    MonoTime locked_until{};
    MonoTime touched{};
    bool let_in = false;
  };
  using Key = std::pair<std::string, std::string>;
  static bool IsLocked(const Pair& pair, MonoTime now) { return now < pair.locked_until; }
  const Pair* Find(std::string_view address, std::string_view name) const;
  Pair& Touch(std::string_view address, std::string_view name, MonoTime now);

  std::size_t entries_max_;
  std::map<Key, Pair> pairs_;
  std::map<std::pair<MonoTime, Key>, bool> by_touch_;
};

}  // namespace writ::plane
