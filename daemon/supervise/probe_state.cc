#include "daemon/supervise/probe_state.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/crypto/sha256.h"

namespace berth::supervise {

ProbeState step(ProbeState state, const spec::Probe& rules, const Finding& finding) {
  if (finding.healthy) {
    state.failures = 0;
    state.reason.clear();
    state.successes = std::min(state.successes + 1, rules.success_threshold);
    if (state.successes >= rules.success_threshold) state.verdict = Verdict::passing;
  } else {
    state.successes = 0;
    state.reason = finding.reason;
    state.failures = std::min(state.failures + 1, rules.failure_threshold);
    if (state.failures >= rules.failure_threshold) state.verdict = Verdict::failing;
  }
  return state;
}

spec::milliseconds ProbePace::after(int asked, bool passed) {
  constexpr spec::milliseconds kFirst{50};
  const auto wait = passed ? period_ : std::min(period_, kFirst * (1 << std::clamp(asked - 1, 0, 16)));
  if (wait < period_ || std::exchange(spread_, true)) return wait;
  return std::max(offset(), spec::milliseconds(1));
}

spec::milliseconds ProbePace::offset() const {
  return spec::milliseconds(static_cast<spec::milliseconds::rep>(static_cast<double>(period_.count()) * phase_));
}

double phase_of(const InstanceId& id, std::string_view probe) {
  const auto hash = crypto::sha256_hex(fmt::format("{} {}", to_string(id), probe));
  return static_cast<double>(std::stoul(hash.substr(0, 8), nullptr, 16)) / 4294967296.0;  // 2^32
}

}  // namespace berth::supervise
