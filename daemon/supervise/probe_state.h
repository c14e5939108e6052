#pragma once

#include <string>
#include <string_view>

#include "core/ids.h"
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

/// When a probe is asked. Until it first passed, a probe is asked more often than its period, so that an instance is noticed to be up soon after it is.
/// Instances that began in one moment are not asked in one moment for good: each goes over to the period at a time of its own within it.
class ProbePace {
 public:
  /// `phase`: its place within the period, from 0 to below 1.
  ProbePace(spec::milliseconds period, double phase) : period_(period), phase_(phase) {}

  /// How long until it is asked for the first time where nobody waits for what it says.
  spec::milliseconds first() const { return offset(); }
  /// How long until it is asked again after it was asked `asked` times. `passed`: its verdict was once that it passes.
  spec::milliseconds after(int asked, bool passed);

 private:
  spec::milliseconds offset() const;

  spec::milliseconds period_;
  double phase_;
  bool spread_ = false;  ///< it has gone over to the period
};

/// The place of an instance's probe ("readiness") within its period, from 0 to below 1: the same each time, and another for each instance and probe.
double phase_of(const InstanceId& id, std::string_view probe);

}  // namespace berth::supervise
