#pragma once

#include <string>

#include "core/spec/app_spec.h"

namespace berth::supervise {

/// What one asking found, and why, for `berth status`.
struct Finding {
  bool healthy = false;
  std::string reason;  ///< one line, such as "503 from /healthz"

  bool operator==(const Finding&) const = default;
};

/// What a probe says of an instance.
enum class Verdict { unknown, passing, failing };

/// A probe's thresholds at work, as the kubelet's: so many successes in a row make it passing, so many failures failing.
struct ProbeState {
  Verdict verdict = Verdict::unknown;
  int successes = 0;   ///< in a row
  int failures = 0;    ///< in a row
  std::string reason;  ///< of the last failure; empty after a success

  bool operator==(const ProbeState&) const = default;
};

ProbeState step(ProbeState state, const spec::Probe& rules, const Finding& finding);

/// How long until a probe is asked for the `asked + 1`th time. Until it first passed, a probe is asked more often than its period, so that
/// an instance is noticed to be up soon after it is.
spec::milliseconds pause_after(const spec::Probe& rules, const ProbeState& state, int asked);

}  // namespace berth::supervise
