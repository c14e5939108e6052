// The refresh workflow, rule by rule (TUF 1.0.x, chapter 5).

#include "core/trust/client_fixture.h"

namespace berth::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Refresh : public ClientFixture {};

TEST_F(Refresh, FetchesEveryRoleOnceAndKeepsItAsReceived) {
  pin();
  EXPECT_THAT(kept(), ElementsAre("root.json"));
  const auto done = refresh();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"));
  EXPECT_THAT(kept(), ElementsAre("root.json", "snapshot.json", "targets.json", "timestamp.json"));
  EXPECT_EQ(content("root.json"), repository.root_bytes(1));
  EXPECT_EQ(content("snapshot.json"), FakeRepository::sign(repository["snapshot"]));
}

TEST_F(Refresh, AsksOnlyForRootAndTimestampWhereNothingIsNew) {
  pin();
  ASSERT_TRUE(refresh());
  ASSERT_TRUE(refresh());
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "timestamp.json"));
}

TEST_F(Refresh, UsesPlainNamesWithoutConsistentSnapshots) {
  repository["root"].content["consistent_snapshot"] = false;
  repository.publish_root();
  pin();
  ASSERT_TRUE(refresh());
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json"));
}

TEST_F(Refresh, SaysThatNoRootIsPinned) {
  expect_refused(refresh(), "no root is pinned");
  EXPECT_TRUE(repository.requests.empty());
}

TEST_F(Refresh, AsksNobodyWhereThePinnedRootIsDamaged) {
  pin();
  std::string bytes = repository.root_bytes(1);
  bytes[bytes.find("1.0.31") + 5] = '2';
  ASSERT_TRUE(files::replace(folder.path() / "tuf/root.json", bytes));
  expect_refused(refresh(), "the root pinned in");
  EXPECT_TRUE(repository.requests.empty());
}

// ---------------------------------------------------------------- pinning

TEST_F(Refresh, PinsAnExpiredRootButNotAForgedOne) {
  FakeRole& root = repository["root"];
  root.content["expires"] = kPast;
  EXPECT_TRUE(client().init(FakeRepository::sign(root)));
  ASSERT_TRUE(files::remove_tree(folder.path() / "tuf"));
  root.signers = {repository.new_key()};
  expect_refused(client().init(FakeRepository::sign(root)), "root.json: 0 of its role's 1 keys");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "tuf/root.json"));
}

TEST_F(Refresh, KeepsThePinWhenAnotherRootIsGiven) {
  pin();
  FakeRepository other;
  EXPECT_TRUE(client().init(other.root_bytes(1)));
  EXPECT_EQ(content("root.json"), repository.root_bytes(1));
}

// ---------------------------------------------------------------- root

TEST_F(Refresh, FollowsAChainOfRootsWithNewKeys) {
  pin();
  for (int turn = 0; turn < 3; ++turn) {
    const auto old = repository["root"].signers;
    repository.clear_keys("root");
    repository.add_key("root", repository.new_key());
    repository.publish_root(old);
  }
  ASSERT_TRUE(refresh());
  EXPECT_EQ(content("root.json"), repository.root_bytes(4));
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "3.root.json", "4.root.json", "5.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"));
}

TEST_F(Refresh, RefusesARootThatTheOldKeysDidNotSign) {
  pin();
  repository.clear_keys("root");
  repository.add_key("root", repository.new_key());
  repository.publish_root();
  expect_refused(refresh(), "2.root.json, by the keys of the root before");
  EXPECT_EQ(content("root.json"), repository.root_bytes(1));
}

TEST_F(Refresh, RefusesARootThatItsOwnKeysDidNotSign) {
  pin();
  const auto old = repository["root"].signers;
  repository.clear_keys("root");
  repository.add_key("root", repository.new_key());
  repository["root"].signers = old;
  repository.publish_root();
  expect_refused(refresh(), "2.root.json, by its own keys");
}

TEST_F(Refresh, RefusesARootOfAnotherVersionThanAsked) {
  pin();
  repository["root"].content["version"] = 2;
  repository.publish_root();  // served as 2, says 3
  expect_refused(refresh(), "says it is version 3, but 2 comes after 1");
  repository.roots[1] = repository.roots[0];
  expect_refused(refresh(), "says it is version 1");
}

TEST_F(Refresh, KeepsAnExpiredRootAndStops) {
  pin();
  repository["root"].content["expires"] = kPast;
  repository.publish_root();
  expect_refused(refresh(), "root.json: version 2 expired at 2029-01-01T00:00:00Z, and it is 2030-01-01T00:00:00Z");
  EXPECT_EQ(content("root.json"), repository.root_bytes(2));
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "3.root.json"));
}

TEST_F(Refresh, GoesThroughExpiredRootsToOneThatIsNot) {
  pin();
  repository["root"].content["expires"] = kPast;
  repository.publish_root();
  repository["root"].content["expires"] = kLater;
  repository.publish_root();
  EXPECT_TRUE(refresh());
}

TEST_F(Refresh, FollowsNoMoreRootsThanAllowed) {
  constexpr int kMost = 256;
  pin();
  for (int more = 0; more < kMost + 10; ++more) repository.publish_root();
  ASSERT_TRUE(refresh()) << "what is held by then goes on to count (5.3.3)";
  EXPECT_EQ(content("root.json"), repository.root_bytes(1 + kMost));
  EXPECT_EQ(repository.requests.at(kMost), "timestamp.json");
  ASSERT_TRUE(refresh());
  EXPECT_EQ(content("root.json"), repository.root_bytes(1 + kMost + 10)) << "the next refresh has the rest";
}

TEST_F(Refresh, EndsWhereTheNextRootCannotBeHad) {
  pin();
  repository.instead["2.root.json"] = [] { return fail(Errc::unreachable, "503"); };
  const auto done = refresh();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::unreachable);
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json"));
}

TEST_F(Refresh, TakesARootWhoseThresholdCannotBeReachedForAnotherRole) {
  pin();
  repository["root"].content["roles"].as_object()["snapshot"].as_object()["threshold"] = 2;
  repository.publish_root();
  expect_refused(refresh(), "snapshot.json: 1 of its role's 1 keys signed it rightly, 2 must");
  EXPECT_EQ(content("root.json"), repository.root_bytes(2));
  EXPECT_THAT(kept(), ElementsAre("root.json", "timestamp.json"));
}

// ---------------------------------------------------------------- timestamp

TEST_F(Refresh, RefusesAnOlderTimestamp) {
  pin();
  repository.update_timestamp();
  ASSERT_TRUE(refresh());
  repository["timestamp"].content["version"] = 1;
  expect_refused(refresh(), "timestamp.json: version 1 is older than 2");
}

TEST_F(Refresh, KeepsTheTimestampHeldWhereTheVersionIsTheSame) {
  pin();
  ASSERT_TRUE(refresh());
  const std::string before = content("timestamp.json");
  repository["timestamp"].content["expires"] = "2032-01-01T00:00:00Z";
  ASSERT_TRUE(refresh());
  EXPECT_EQ(content("timestamp.json"), before);
}

TEST_F(Refresh, RefusesATimestampThatListsAnOlderSnapshotAndDoesNotKeepIt) {
  pin();
  repository.update_snapshot();
  ASSERT_TRUE(refresh());
  const std::string before = content("timestamp.json");
  repository["snapshot"].content["version"] = 1;
  repository.update_timestamp();
  expect_refused(refresh(), "timestamp.json: snapshot.json: version 1 is older than 2");
  EXPECT_EQ(content("timestamp.json"), before);
}

TEST_F(Refresh, RefusesAnExpiredTimestampAndDoesNotKeepIt) {
  pin();
  repository["timestamp"].content["expires"] = "2030-01-01T00:00:00Z";  // the very second counts as expired
  expect_refused(refresh(), "timestamp.json: version 1 expired");
  EXPECT_THAT(kept(), ElementsAre("root.json"));
}

TEST_F(Refresh, RefusesAHeldTimestampThatExpiredMeanwhile) {
  pin();
  ASSERT_TRUE(refresh());
  repository["root"].content["expires"] = "2040-01-01T00:00:00Z";
  repository.publish_root();
  now = *parse_time("2031-01-01T00:00:00Z");
  expect_refused(refresh(), "timestamp.json: version 1 expired");
}

TEST_F(Refresh, RollsBackNeitherFromAnExpiredTimestamp) {
  pin();
  repository.update_timestamp();
  repository["timestamp"].content["expires"] = "2030-01-02T00:00:00Z";
  ASSERT_TRUE(refresh());
  now = *parse_time("2030-01-03T00:00:00Z");
  repository["timestamp"].content["expires"] = kLater;
  repository["timestamp"].content["version"] = 1;
  expect_refused(refresh(), "version 1 is older than 2");
}

TEST_F(Refresh, RecoversFromVersionsThatRanAheadWhenKeysAreRotated) {
  pin();
  repository["timestamp"].content["version"] = 100;
  repository["snapshot"].content["version"] = 100;
  repository.update_timestamp();
  ASSERT_TRUE(refresh());
  for (const char* role : {"timestamp", "snapshot"}) {
    repository.clear_keys(role);
    repository.add_key(role, repository.new_key());
    repository[role].content["version"] = 0;
  }
  repository.publish_root();
  repository.update_snapshot();
  const auto done = refresh();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(content("timestamp.json"), FakeRepository::sign(repository["timestamp"]));
  EXPECT_EQ(content("snapshot.json"), FakeRepository::sign(repository["snapshot"]));
}

// ---------------------------------------------------------------- snapshot

struct SnapshotListing {
  const char* name;
  json::object listed;
  const char* complaint;  ///< empty where it is right
};

TEST_F(Refresh, HoldsSnapshotAgainstLengthHashAndVersionThatTimestampLists) {
  const std::string bytes = FakeRepository::sign(repository["snapshot"]);
  const std::string right = crypto::sha256_hex(bytes);
  const SnapshotListing cases[] = {
      {"right", {{"version", 1}, {"length", bytes.size()}, {"hashes", {{"sha256", right}, {"sha512", crypto::sha512_hex(bytes)}}}}, ""},
      {"other length", {{"version", 1}, {"length", bytes.size() + 1}}, "not the"},
      {"other hash", {{"version", 1}, {"hashes", {{"sha256", std::string(64, '0')}}}}, "is not the signed one"},
      {"one of two hashes", {{"version", 1}, {"hashes", {{"sha256", right}, {"sha512", std::string(128, '0')}}}}, "is not the signed one"},
      {"unknown hash only", {{"version", 1}, {"hashes", {{"md5", "00"}}}}, "without a hash"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_TRUE(files::remove_tree(folder.path() / "tuf"));
    pin();
    repository["timestamp"].content["meta"].as_object()["snapshot.json"] = c.listed;
    const auto done = refresh();
    if (*c.complaint == '\0') {
      EXPECT_TRUE(done) << done.error().message;
    } else {
      expect_refused(done, c.complaint);
      EXPECT_THAT(kept(), ElementsAre("root.json", "timestamp.json"));
    }
  }
}

TEST_F(Refresh, RefusesASnapshotOfAnotherVersion) {
  pin();
  repository.update_snapshot();
  repository.instead["2.snapshot.json"] = [this] {
    FakeRole old = repository["snapshot"];
    old.content["version"] = 1;
    return FakeRepository::sign(old);
  };
  expect_refused(refresh(), "snapshot.json: is version 1, but timestamp.json lists 2");
}

TEST_F(Refresh, RefusesASnapshotThatRollsARoleBackOrDropsIt) {
  pin();
  FakeRepository::raise(repository["targets"].content);
  repository.update_snapshot();
  ASSERT_TRUE(refresh());
  repository["targets"].content["version"] = 1;
  repository.update_snapshot();
  expect_refused(refresh(), "snapshot.json: targets.json: version 1 is older than 2");
  repository["snapshot"].content["meta"].as_object().erase("targets.json");
  expect_refused(refresh(), "no longer lists targets.json");
}

TEST_F(Refresh, UsesTheSnapshotHeldEvenWhereANewTimestampListsOtherHashesForIt) {
  pin();
  ASSERT_TRUE(refresh());
  repository.update_timestamp();
  repository["timestamp"].content["meta"].as_object()["snapshot.json"] = {{"version", 1}, {"hashes", {{"sha256", std::string(64, '0')}}}};
  EXPECT_TRUE(refresh());
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "timestamp.json"));
}

TEST_F(Refresh, RefusesAnExpiredSnapshotAndDoesNotKeepIt) {
  pin();
  repository["snapshot"].content["expires"] = kPast;
  expect_refused(refresh(), "snapshot.json: version 1 expired");
  EXPECT_THAT(kept(), ElementsAre("root.json", "timestamp.json"));
}

TEST_F(Refresh, AllowsASnapshotThatListsRolesNobodyHas) {
  pin();
  repository["snapshot"].content["meta"].as_object()["ghost.json"] = {{"version", 7}};
  EXPECT_TRUE(refresh());
}

// ---------------------------------------------------------------- targets

TEST_F(Refresh, RefusesTargetsOfAnotherVersionHashOrTime) {
  pin();
  auto& listed = repository["snapshot"].content["meta"].as_object()["targets.json"];
  listed = {{"version", 1}, {"hashes", {{"sha256", std::string(64, '0')}}}};
  expect_refused(refresh(), "targets.json: its sha256 is not the signed one");
  EXPECT_THAT(kept(), ElementsAre("root.json", "snapshot.json", "timestamp.json"));

  repository.update_snapshot();
  repository.instead["1.targets.json"] = [this] {
    FakeRole other = repository["targets"];
    other.content["version"] = 9;
    return FakeRepository::sign(other);
  };
  expect_refused(refresh(), "targets.json: is version 9, but snapshot.json lists 1");

  repository.instead.clear();
  repository["targets"].content["expires"] = kPast;
  expect_refused(refresh(), "targets.json: version 1 expired");
  EXPECT_THAT(kept(), ElementsAre("root.json", "snapshot.json", "timestamp.json"));
}

TEST_F(Refresh, FetchesTargetsAnewWhereTheLocalFileIsDamaged) {
  pin();
  ASSERT_TRUE(refresh());
  ASSERT_TRUE(files::replace(folder.path() / "tuf/targets.json", "{}"));
  ASSERT_TRUE(refresh());
  EXPECT_THAT(repository.requests, ElementsAre("2.root.json", "timestamp.json", "1.targets.json"));
}

TEST_F(Refresh, RefusesFilesThatAreLongerThanAllowed) {
  pin();
  repository["timestamp"].content["padding"] = std::string(16'384, 'x');
  const auto done = refresh();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::protocol);
}

TEST_F(Refresh, RefusesAFileOfAnotherTypeThoughSigned) {
  pin();
  const auto* key = repository["timestamp"].signers.front();
  repository["root"].content["roles"].as_object()["snapshot"].as_object()["keyids"].as_array().emplace_back(keyid_of(*key));
  repository.publish_root();
  repository.instead["1.snapshot.json"] = [this] { return FakeRepository::sign(repository["timestamp"]); };
  expect_refused(refresh(), "snapshot.json: is of type 'timestamp', not 'snapshot'");
}

TEST_F(Refresh, LetsOneFlippedByteOfAnyRoleFail) {
  for (const std::string path : {"timestamp.json", "1.snapshot.json", "1.targets.json"}) {
    repository.instead.clear();
    std::string bytes = *repository.get(path, 100'000);
    bytes[bytes.find("2031")] = '3';
    repository.instead[path] = [bytes] { return bytes; };
    ASSERT_TRUE(files::remove_tree(folder.path() / "tuf"));
    pin();
    expect_refused(refresh(), path.substr(path.find_first_not_of("1.")));
  }
}

TEST_F(Refresh, IsRefusedByTheMetadataOfAnotherRepository) {
  pin();
  FakeRepository other;
  Client stranger(folder.path() / "tuf", other, [] { return kNow; });
  expect_refused(stranger.refresh(), "timestamp.json: 0 of its role's 1 keys");
}

TEST_F(Refresh, TellsWhatIsHeldAndUntilWhen) {
  pin();
  Client fresh = client();
  EXPECT_TRUE(fresh.roles().empty());
  ASSERT_TRUE(fresh.refresh());
  std::vector<std::string> names;
  for (const RoleState& role : fresh.roles()) {
    names.push_back(role.role);
    EXPECT_EQ(role.version, 1);
    EXPECT_EQ(to_string(role.expires), kLater);
  }
  EXPECT_THAT(names, ElementsAre("root", "timestamp", "snapshot", "targets"));
}

}  // namespace
}  // namespace berth::trust
