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

TEST(ProbePace, IsShortUntilTheProbeFirstPassesAndThenThePeriod) {
  ProbePace pace(1s, 0.25);
  EXPECT_EQ(pace.after(1, false), 50ms);
  EXPECT_EQ(pace.after(3, false), 200ms);
  EXPECT_EQ(pace.after(4, true), 250ms) << "once it is asked at a time of its own";
  EXPECT_EQ(pace.after(5, true), 1s);
  EXPECT_EQ(pace.after(6, false), 1s);
}

TEST(ProbePace, IsOfItsOwnOnceAlsoWhereTheProbeDoesNotPass) {
  ProbePace pace(1s, 0.75);
  EXPECT_EQ(pace.after(5, false), 800ms);
  EXPECT_EQ(pace.after(6, false), 750ms);
  EXPECT_EQ(pace.after(1000, false), 1s);
  EXPECT_EQ(pace.after(1001, true), 1s);
}

TEST(ProbePace, IsNeverLongerThanThePeriodAndNeverNothing) {
  for (const double phase : {0.0, 0.5, 0.999}) {
    ProbePace pace(10ms, phase);
    EXPECT_LE(pace.first(), 10ms);
    for (int asked = 1; asked < 4; asked++) {
      const auto wait = pace.after(asked, asked > 1);
      EXPECT_GE(wait, 1ms) << phase;
      EXPECT_LE(wait, 10ms) << phase;
    }
  }
}

TEST(ProbePhase, IsTheSameEachTimeAndSpreadOverInstances) {
  EXPECT_EQ(phase_of({"web", "web", 1, "v1"}, "liveness"), phase_of({"web", "web", 1, "v1"}, "liveness"));
  EXPECT_NE(phase_of({"web", "web", 1, "v1"}, "liveness"), phase_of({"web", "web", 1, "v1"}, "readiness"));
  int tenths[10] = {};
  for (int number = 1; number <= 1000; number++) {
    const double phase = phase_of({"web", "web", number, "v1"}, "readiness");
    ASSERT_GE(phase, 0);
    ASSERT_LT(phase, 1);
    tenths[static_cast<int>(phase * 10)]++;
  }
  for (const int count : tenths) EXPECT_GT(count, 60);
}

}  // namespace
}  // namespace berth::supervise
