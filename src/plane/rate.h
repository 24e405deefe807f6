#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace writ::plane {

/// Token buckets by name: each refills by `per_second` up to `burst`. Full buckets are forgotten, so memory is bounded by
/// who called within the last seconds. One thread.
class RateLimit {
 public:
  explicit RateLimit(double per_second = 50, double burst = 100) : per_second_(per_second), burst_(burst) {}

  /// Takes one token; false when there is none.
  bool Take(std::string_view name, MonoTime now) {
    auto found = buckets_.find(name);
    if (found == buckets_.end()) {
      if (buckets_.size() >= kSweepAt) Sweep(now);
      found = buckets_.emplace(name, Bucket{burst_, now}).first;
    }
    Bucket& bucket = found->second;
    bucket.tokens = Level(bucket, now);
    bucket.at = std::max(bucket.at, now);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
  std::size_t size() const { return buckets_.size(); }

 private:
  static constexpr std::size_t kSweepAt = 1024;
  struct Bucket {
    double tokens = 0;
    MonoTime at{};
  };
  double Level(const Bucket& bucket, MonoTime now) const {
    const std::chrono::duration<double> passed = std::max(now - bucket.at, MonoTime::duration::zero());
    return std::min(burst_, bucket.tokens + passed.count() * per_second_);
  }
  void Sweep(MonoTime now) {
    std::erase_if(buckets_, [&](const auto& entry) { return Level(entry.second, now) >= burst_; });
  }

  double per_second_, burst_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace writ::plane
