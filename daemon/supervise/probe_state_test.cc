#include "daemon/supervise/probe_state.h"

#include <gtest/gtest.h>

namespace berth::supervise {
namespace {

using namespace std::chrono_literals;

/// The verdicts after each of `findings`: '+' healthy, '-' not; as 'p', 'f' and '?'.
std::string verdicts(const spec::Probe& rules, std::string_view findings) {
  ProbeState state;
  std::string all;
  for (const char finding : findings) {
    state = step(state, rules, {.healthy = finding == '+', .reason = "refused"});
    all += state.verdict == Verdict::passing ? 'p' : state.verdict == Verdict::failing ? 'f' : '?';
  }
  return all;
}

TEST(ProbeState, FollowsItsThresholds) {
  const struct {
    int successes, failures;
    std::string_view findings, verdicts;
  } table[] = {
      {1, 3, "+", "p"},           {1, 3, "---", "??f"},       {1, 3, "+--+---+", "ppppppfp"}, {1, 3, "--+--+", "??pppp"},
      {2, 1, "+-++", "?ffp"},     {3, 2, "++-+++", "?????p"}, {1, 1, "+-+-", "pfpf"},         {2, 3, "+++---+-++", "?ppppffffp"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(verdicts({.success_threshold = row.successes, .failure_threshold = row.failures}, row.findings), row.verdicts) << row.findings;
  }
}

TEST(ProbeState, SaysWhyItFailedUntilItSucceeds) {
  const auto failed = step({}, {}, {.healthy = false, .reason = "503 from /"});
  EXPECT_EQ(failed.reason, "503 from /");
  EXPECT_EQ(step(failed, {}, {.healthy = true}).reason, "");
}

TEST(ProbePause, IsShortUntilTheProbeFirstPassesAndThenThePeriod) {
  const spec::Probe rules{.period = 1s};
  const ProbeState passing{.verdict = Verdict::passing};
  EXPECT_EQ(pause_after(rules, {}, 1), 50ms);
  EXPECT_EQ(pause_after(rules, {}, 3), 200ms);
  EXPECT_EQ(pause_after(rules, {}, 1000), 1s);
  EXPECT_EQ(pause_after(rules, passing, 1), 1s);
}

TEST(ProbePause, IsNeverLongerThanThePeriod) { EXPECT_EQ(pause_after({.period = 10ms}, {}, 1), 10ms); }

}  // namespace
}  // namespace berth::supervise
