#pragma once

#include <filesystem>
#include <string>

#include "core/result.h"
#include "core/trust/time.h"

namespace berth::fetch {

/// What time it is at least: a clock that stands behind berthd's build, or behind the last successful refresh, is not believed, so that turning it
/// back does not bring expired metadata to life again.
class TrustClock {
 public:
  /// Remembers the last success in `folder`/last_success, which may be missing.
  TrustClock(std::filesystem::path folder, trust::WallTime build_time);

  /// `clock` itself, or the time that is believed instead.
  trust::WallTime believed(trust::WallTime clock) const;
  /// What a person is to know of a clock that is not believed; else empty.
  std::string complaint(trust::WallTime clock) const;

  /// A refresh succeeded now, by this clock. Durable.
  Result<void> succeeded(trust::WallTime clock);
  /// When one did last, RFC 3339; empty: never.
  std::string last_success() const;

 private:
  std::filesystem::path folder_;
  trust::WallTime build_time_;
  trust::WallTime last_success_{};  ///< 1970: never
};

}  // namespace berth::fetch
