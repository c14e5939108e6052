#include "daemon/supervise/probe_state.h"

#include <algorithm>

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

spec::milliseconds pause_after(const spec::Probe& rules, const ProbeState& state, int asked) {
  if (state.verdict == Verdict::passing) return rules.period;
  constexpr spec::milliseconds kFirst{50};
  return std::min(rules.period, kFirst * (1 << std::clamp(asked - 1, 0, 16)));
}

}  // namespace berth::supervise
