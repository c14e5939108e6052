// One row for each MUST of the client's workflow (TUF 1.0.33, chapter 5): a repository that breaks it, and what the client makes of that.
// Lookups through delegations (5.6.7) are in lookup_test.cc.

#include "core/trust/client_fixture.h"

namespace berth::trust {
namespace {

using testing::HasSubstr;

/// What a repository does to a client that pinned version 1 of root and, if `held`, refreshed once.
struct Rule {
  const char* section;
  const char* rule;
  bool held;
  std::function<void(FakeRepository&)> breaks;
  const char* complaint;  ///< empty where the refresh succeeds all the same
  const char* kept;       ///< the versions in the metadata folder afterwards: root, timestamp, snapshot, targets
};

json::object& listed(FakeRepository& r, const char* role, const char* file) { return r[role].content["meta"].as_object()[file].as_object(); }

void expire(FakeRepository& r, const char* role) { r[role].content["expires"] = kPast; }

/// Serves a role under the name of the version that is listed, with another version inside.
void lie_about_version(FakeRepository& r, const std::string& role) {
  FakeRole other = r[role];
  other.content["version"] = 9;
  r.instead["1." + role + ".json"] = [bytes = FakeRepository::sign(other)] { return bytes; };
}

std::vector<const crypto::SigningKey*> rotate(FakeRepository& r, const char* role) {
  const auto old = r[role].signers;
  r.clear_keys(role);
  r.add_key(role, r.new_key());
  return old;
}

void sign_by_stranger(FakeRepository& r, const char* role) { r[role].signers = {r.new_key()}; }

const Rule kRules[] = {
    {"5.3.3", "a next root that is not there ends the chain", false, [](FakeRepository&) {}, "", "1 1 1 1"},
    {"5.3.3", "of a next root no more than some bytes are taken", false,
     [](FakeRepository& r) {
       r["root"].content["x"] = std::string(512'000, 'x');
       r.publish_root();
     },
     "longer", "1 - - -"},
    {"5.3.4", "the next root is signed by the keys of the one before", false,
     [](FakeRepository& r) {
       rotate(r, "root");
       r.publish_root();
     },
     "by the keys of the root before", "1 - - -"},
    {"5.3.4", "the next root is signed by its own keys", false,
     [](FakeRepository& r) {
       r["root"].signers = rotate(r, "root");
       r.publish_root();
     },
     "by its own keys", "1 - - -"},
    {"5.3.5", "the next root is of exactly the next version", false,
     [](FakeRepository& r) {
       r["root"].content["version"] = 2;
       r.publish_root();
     },
     "but 2 comes after 1", "1 - - -"},
    {"5.3.6", "an expired root between does not matter", false,
     [](FakeRepository& r) {
       expire(r, "root");
       r.publish_root();
       r["root"].content["expires"] = kLater;
       r.publish_root();
     },
     "", "3 1 1 1"},
    {"5.3.8", "each root is kept before the next is asked for", false,
     [](FakeRepository& r) {
       r.publish_root();
       r.instead["3.root.json"] = [] { return fail(Errc::trust, "no more"); };
     },
     "no more", "2 - - -"},
    {"5.3.10", "the last root is not expired", false,
     [](FakeRepository& r) {
       expire(r, "root");
       r.publish_root();
     },
     "root.json: version 2 expired", "2 - - -"},
    {"5.3.11", "rotated timestamp keys take the timestamp held away", true,
     [](FakeRepository& r) {
       rotate(r, "timestamp");
       r["timestamp"].content["version"] = 0;
       r.publish_root();
       r.update_timestamp();
     },
     "", "2 1 5 5"},
    {"5.3.11", "rotated snapshot keys take both away", true,
     [](FakeRepository& r) {
       rotate(r, "snapshot");
       r["snapshot"].content["version"] = 1;
       r["targets"].content["version"] = 2;
       r.publish_root();
       r.update_snapshot();
     },
     "", "2 6 2 2"},
    {"5.4.1", "of timestamp no more than some bytes are taken", false, [](FakeRepository& r) { r["timestamp"].content["x"] = std::string(20'000, 'x'); },
     "longer", "1 - - -"},
    {"5.4.2", "timestamp is signed by the keys that root lists", false, [](FakeRepository& r) { sign_by_stranger(r, "timestamp"); }, "timestamp.json: 0 of",
     "1 - - -"},
    {"5.4.3.1", "timestamp does not fall back", true, [](FakeRepository& r) { r["timestamp"].content["version"] = 4; }, "version 4 is older than 5", "1 5 5 5"},
    {"5.4.3.1", "the same version is no news", true, [](FakeRepository& r) { listed(r, "timestamp", "snapshot.json")["version"] = 9; }, "", "1 5 5 5"},
    {"5.4.3.2", "the snapshot that timestamp lists does not fall back", true,
     [](FakeRepository& r) {
       r["snapshot"].content["version"] = 4;
       r.update_timestamp();
     },
     "snapshot.json: version 4 is older than 5", "1 5 5 5"},
    {"5.4.4", "timestamp is not expired", false, [](FakeRepository& r) { expire(r, "timestamp"); }, "timestamp.json: version 1 expired", "1 - - -"},
    {"5.4.5", "timestamp is kept before snapshot is asked for", false,
     [](FakeRepository& r) { r.instead["1.snapshot.json"] = [] { return fail(Errc::trust, "no more"); }; }, "no more", "1 1 - -"},
    {"5.5.1", "of snapshot no more is taken than timestamp lists", false, [](FakeRepository& r) { listed(r, "timestamp", "snapshot.json")["length"] = 9; },
     "longer than 9", "1 1 - -"},
    {"5.5.2", "snapshot has the hashes that timestamp lists", false,
     [](FakeRepository& r) { listed(r, "timestamp", "snapshot.json")["hashes"] = {{"sha256", std::string(64, '0')}}; }, "snapshot.json: its sha256", "1 1 - -"},
    {"5.5.3", "snapshot is signed by the keys that root lists", false, [](FakeRepository& r) { sign_by_stranger(r, "snapshot"); }, "snapshot.json: 0 of",
     "1 1 - -"},
    {"5.5.4", "snapshot is of the version that timestamp lists", false, [](FakeRepository& r) { lie_about_version(r, "snapshot"); },
     "snapshot.json: is version 9, but timestamp.json lists 1", "1 1 - -"},
    {"5.5.5", "no role that snapshot lists falls back", true,
     [](FakeRepository& r) {
       r["targets"].content["version"] = 4;
       r.update_snapshot();
     },
     "targets.json: version 4 is older than 5", "1 6 5 5"},
    {"5.5.5", "no role that snapshot lists vanishes", true,
     [](FakeRepository& r) {
       r.update_snapshot();
       r["snapshot"].content["meta"].as_object().erase("targets.json");
     },
     "no longer lists targets.json", "1 6 5 5"},
    {"5.5.6", "snapshot is not expired", false, [](FakeRepository& r) { expire(r, "snapshot"); }, "snapshot.json: version 1 expired", "1 1 - -"},
    {"5.5.7", "snapshot is kept before targets is asked for", false,
     [](FakeRepository& r) { r.instead["1.targets.json"] = [] { return fail(Errc::trust, "no more"); }; }, "no more", "1 1 1 -"},
    {"5.6.1", "of targets no more is taken than snapshot lists", false, [](FakeRepository& r) { listed(r, "snapshot", "targets.json")["length"] = 9; },
     "longer than 9", "1 1 1 -"},
    {"5.6.2", "targets has the hashes that snapshot lists", false,
     [](FakeRepository& r) { listed(r, "snapshot", "targets.json")["hashes"] = {{"sha512", std::string(128, '0')}}; }, "targets.json: its sha512", "1 1 1 -"},
    {"5.6.3", "targets is signed by the keys that root lists", false, [](FakeRepository& r) { sign_by_stranger(r, "targets"); }, "targets.json: 0 of",
     "1 1 1 -"},
    {"5.6.4", "targets is of the version that snapshot lists", false, [](FakeRepository& r) { lie_about_version(r, "targets"); },
     "targets.json: is version 9, but snapshot.json lists 1", "1 1 1 -"},
    {"5.6.5", "targets is not expired", false, [](FakeRepository& r) { expire(r, "targets"); }, "targets.json: version 1 expired", "1 1 1 -"},
};

class Specification : public ClientFixture {
 protected:
  /// A new repository and a new client of it.
  void begin(bool held) {
    ASSERT_TRUE(files::remove_tree(folder.path() / "tuf"));
    repository = FakeRepository();
    pin();
    if (!held) return;
    for (const char* role : {"timestamp", "snapshot", "targets"}) repository[role].content["version"] = 4;
    FakeRepository::raise(repository["targets"].content);
    repository.update_snapshot();
    ASSERT_TRUE(refresh());
  }

  std::string versions() const {
    std::string text;
    for (const char* role : {"root", "timestamp", "snapshot", "targets"}) {
      const auto file = json::parse(content(fmt::format("{}.json", role)));
      text += file ? fmt::format("{} ", file->at("signed").at("version").to_number<std::int64_t>()) : "- ";
    }
    text.pop_back();
    return text;
  }
};

TEST_F(Specification, EveryRuleOfTheWorkflowHolds) {
  for (const Rule& rule : kRules) {
    SCOPED_TRACE(fmt::format("{}: {}", rule.section, rule.rule));
    begin(rule.held);
    rule.breaks(repository);
    const auto done = refresh();
    const std::string said = done ? "" : done.error().message;
    EXPECT_EQ(done.has_value(), *rule.complaint == '\0') << said;
    EXPECT_THAT(said, HasSubstr(rule.complaint));
    EXPECT_EQ(versions(), rule.kept);
  }
}

/// 5.1: however long a refresh takes, expiry is held against the time at which it began.
TEST_F(Specification, TimeStandsStillFromTheStartOfARefresh) {
  begin(false);
  repository.delegate("targets", "web", json::array{json::value("*")});
  repository.add_target("web", "x", "bytes");
  repository.update_snapshot();
  repository.instead["2.snapshot.json"] = [this] {
    now = *parse_time("2050-01-01T00:00:00Z");
    return FakeRepository::sign(repository["snapshot"]);
  };
  Client slow = client();
  const auto done = slow.refresh();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(slow.find("x"));
  expect_refused(slow.refresh(), "expired");
}

/// 5.3.11 is about replaced keys; a damaged file is no reason to forget the other one.
TEST_F(Specification, ADamagedTimestampDoesNotTakeTheSnapshotHeldAway) {
  begin(true);
  ASSERT_TRUE(files::replace(folder.path() / "tuf/timestamp.json", "{"));
  repository["targets"].content["version"] = 4;
  repository.update_snapshot();
  expect_refused(refresh(), "targets.json: version 4 is older than 5");
}

}  // namespace
}  // namespace berth::trust
