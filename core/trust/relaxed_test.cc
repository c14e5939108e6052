#include "core/trust/client_fixture.h"

namespace berth::trust {
namespace {

using testing::HasSubstr;

/// A client that takes an expired timestamp or snapshot, and nothing else that the other one would not.
class Relaxed : public ClientFixture {
 protected:
  Result<void> relaxed_refresh() {
    Client carried = client();
    carried.allow_expired(true);
    auto done = carried.refresh();
    expired = carried.expired();
    return done;
  }

  std::string expired;
};

TEST_F(Relaxed, TakesAnExpiredTimestampAndSnapshotAndSaysSo) {
  pin();
  repository["timestamp"].content["expires"] = "2029-12-31T00:00:00Z";
  repository["snapshot"].content["expires"] = "2029-12-30T00:00:00Z";
  expect_refused(refresh(), "timestamp.json: version 1 expired");
  const auto taken = relaxed_refresh();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(expired, "timestamp.json expired at 2029-12-31T00:00:00Z, snapshot.json expired at 2029-12-30T00:00:00Z");
  expect_refused(refresh(), "expired");
}

TEST_F(Relaxed, SaysNothingWhereNothingHadExpired) {
  pin();
  ASSERT_TRUE(relaxed_refresh());
  EXPECT_EQ(expired, "");
}

TEST_F(Relaxed, TakesNeitherExpiredTargetsNorAnExpiredRoot) {
  pin();
  repository["targets"].content["expires"] = "2029-12-31T00:00:00Z";
  expect_refused(relaxed_refresh(), "targets.json: version 1 expired");
}

TEST_F(Relaxed, RollsNothingBack) {
  pin();
  repository["timestamp"].content["version"] = 7;
  ASSERT_TRUE(refresh());
  repository["timestamp"].content["version"] = 6;
  repository["timestamp"].content["expires"] = "2029-12-31T00:00:00Z";
  expect_refused(relaxed_refresh(), "version 6 is older than 7");
}

}  // namespace
}  // namespace berth::trust
