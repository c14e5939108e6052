// What the keys of one app can do to a repository, and what they cannot.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/keys.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/delegation_change.h"
#include "core/trust/folder_remote.h"
#include "core/trust/handed_in.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_document.h"
#include "core/trust/role_writer.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

bool no_pointers(std::string_view) { return false; }

class Delegations : public testing::Test {
 protected:
  Delegations() {
    const auto made = init_repository(repo, keys, now);
    EXPECT_TRUE(made) << made.error().message;
    delegate("web", web);
    delegate("shop", shop);
  }

  void delegate(const std::string& role, const crypto::SigningKey& key, std::optional<std::int64_t> threshold = {}) {
    const auto done = writer().delegate({.role = role, .keys = {key.public_key()}, .paths = {role + "/*/*"}, .threshold = threshold});
    EXPECT_TRUE(done) << done.error().message;
  }

  RepositoryWriter writer() {
    auto opened = RepositoryWriter::open(repo, keys, [this] { return now; });
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }

  Result<RoleWriter> role(const std::string& name, const crypto::SigningKey& key, bool vouch = false) {
    return RoleWriter::open(repo, repo / "incoming", name, ring(key), [this] { return now; }, vouch);
  }

  static Keyring ring(const crypto::SigningKey& key) {
    Keyring keyring;
    keyring.add(signer_of(copy(key)));
    return keyring;
  }

  /// Keys are not copied by accident; a test's are, by way of a file.
  static crypto::SigningKey copy(const crypto::SigningKey& key) {
    files::TemporaryDirectory there;
    EXPECT_TRUE(key.save(there.path() / "key.pem"));
    return *crypto::SigningKey::load(there.path() / "key.pem");
  }

  void hand_in(const std::string& name, const crypto::SigningKey& key, const std::string& target, const std::string& bytes) {
    auto writing = role(name, key);
    ASSERT_TRUE(writing) << writing.error().message;
    const auto done = writing->add_targets({{target, bytes}});
    ASSERT_TRUE(done) << done.error().message;
  }

  Result<std::vector<HandedIn>> handed_in(const std::string& name) {
    BERTH_TRY(const auto handed, HandedInFolder::open(repo / "incoming" / name));
    BERTH_TRY(const auto files, read_repository_files(repo));
    return read_handed_in(files, name, handed, now, no_pointers);
  }

  /// Accepts all of a role, its targets read from where they were handed in.
  Result<void> accept(const std::string& name) {
    BERTH_TRY(const auto chain, handed_in(name));
    if (chain.empty()) return fail(Errc::not_found, "nothing waits");
    std::map<std::string, std::string> targets;
    for (const HandedIn& one : chain)
      for (const Target& target : one.added) {
        BERTH_TRY(targets[target.name], files::read(repo / "incoming" / name / "targets" / file_of_target(target.name, target.hashes.at("sha256")), 1000));
      }
    return writer().accept({chain.back()}, targets);
  }

  Result<std::string> fetch(const std::string& name) {
    FolderRemote metadata(repo / "metadata");
    FolderRemote targets(repo / "targets");
    Client client(folder.path() / "node", metadata, [this] { return now; });
    BERTH_TRY(const std::string root, files::read(repo / "metadata/1.root.json", 1u << 20));
    BERTH_CHECK(client.init(root));
    BERTH_CHECK(client.refresh());
    BERTH_TRY(const Target target, client.find(name));
    return client.download(target, targets);
  }

  /// Signs `edit`ed metadata of a role as its thief would, without any of our checks.
  void forge(const std::string& name, std::int64_t version, const crypto::SigningKey& key, const std::function<void(json::object&)>& edit) {
    json::object document = role_document("targets");
    document["targets"] = json::object();
    document["version"] = version;
    document["expires"] = to_string(now + 24h);
    edit(document);
    const auto bytes = signed_file(document, {{.keyid = keyid_of(key), .signer = signer_of(copy(key))}});
    ASSERT_TRUE(files::make_directories(repo / "incoming" / name / "metadata"));
    ASSERT_TRUE(files::replace(repo / "incoming" / name / "metadata" / numbered_file(name, version), *bytes));
  }

  static std::string keyid_of(const crypto::SigningKey& key) {
    json::object listed;
    return list_key(listed, key.public_key());
  }

  static json::object target(const std::string& bytes) {
    return {{"length", bytes.size()}, {"hashes", {{"sha256", crypto::sha256_hex(bytes)}}}};
  }

  void expect_refused(const std::string& name, const std::string& says) {
    const auto chain = handed_in(name);
    ASSERT_FALSE(chain) << "expected: " << says;
    EXPECT_EQ(chain.error().code, Errc::trust);
    EXPECT_THAT(chain.error().message, HasSubstr(says));
  }

  files::TemporaryDirectory folder;
  fs::path repo = folder.path() / "repo", keys = folder.path() / "keys";
  WallTime now = *parse_time("2030-01-01T00:00:00Z");
  crypto::SigningKey web = crypto::SigningKey::generate(), shop = crypto::SigningKey::generate();
};

TEST_F(Delegations, AreFoundByAReaderOnceTheyAreAccepted) {
  hand_in("web", web, "web/production/v1.json", "one");
  EXPECT_FALSE(fetch("web/production/v1.json")) << "what waits is not published";
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
  const auto state = read_repository(repo);
  ASSERT_EQ(state->targets.size(), 1u);
  EXPECT_EQ(state->targets[0].role, "web");
  EXPECT_EQ(state->roles.back().role, "web");
}

TEST_F(Delegations, AreAcceptedWithTheKeysOfSnapshotAndTimestampAlone) {
  hand_in("web", web, "web/production/v1.json", "one");
  fs::remove(keys / "root.pem");
  fs::remove(keys / "targets.pem");
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
}

TEST_F(Delegations, SeveralVersionsMayWait) {
  hand_in("web", web, "web/production/v1.json", "one");
  hand_in("web", web, "web/production/v2.json", "two");
  EXPECT_EQ(handed_in("web")->size(), 2u);
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch("web/production/v2.json").value(), "two");
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
}

TEST_F(Delegations, LeaveTheOneKeyWayAsItWas) {
  ASSERT_TRUE(writer().add_targets({{"other/production/v1.json", "mine"}}));
  EXPECT_EQ(fetch("other/production/v1.json").value(), "mine");
}

TEST_F(Delegations, GiveAKeyNothingOutsideOfItsPaths) {
  const auto outside = role("web", web)->add_targets({{"shop/production/v1.json", "evil"}});
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, Errc::usage);
  forge("web", 1, web, [&](json::object& signed_) { signed_["targets"].as_object()["shop/production/v1.json"] = target("evil"); });
  expect_refused("web", "'shop/production/v1.json' is outside of what is delegated to web");
}

TEST_F(Delegations, GiveAKeyNoOtherRole) {
  forge("shop", 1, web, [&](json::object& signed_) { signed_["targets"].as_object()["shop/production/v1.json"] = target("evil"); });
  expect_refused("shop", "must");
  const auto strange = role("shop", web);
  ASSERT_TRUE(strange || strange.error().code == Errc::trust);
  fs::remove_all(repo / "incoming/shop/metadata");
  const auto signing = role("shop", web)->refresh();
  ASSERT_FALSE(signing);
  EXPECT_THAT(signing.error().message, HasSubstr("the key of role shop is not at hand"));
  for (const char* top : {"root", "targets", "snapshot", "timestamp"}) {
    forge(top, 2, web, [](json::object&) {});
    expect_refused(top, "no role '" + std::string(top) + "' is delegated");
  }
}

TEST_F(Delegations, RefuseWhatBreaksARule) {
  hand_in("web", web, "web/production/v1.json", "one");
  ASSERT_TRUE(accept("web"));
  const auto with = [&](const std::function<void(json::object&)>& edit, std::int64_t version, const std::string& says) {
    fs::remove_all(repo / "incoming/web/metadata");
    forge("web", version, web, [&](json::object& document) {
      document["targets"].as_object()["web/production/v1.json"] = target("one");
      edit(document);
    });
    expect_refused("web", says);
  };
  const auto targets = [](json::object& document) -> json::object& { return document["targets"].as_object(); };
  with([](json::object&) {}, 3, "version 2 is missing");
  with([&](json::object& d) { targets(d)["web/production/v1.json"] = target("two"); }, 2, "is never replaced");
  with([&](json::object& d) { targets(d).clear(); }, 2, "leaves out 'web/production/v1.json'");
  with([&](json::object& d) { targets(d)["web/production/../v2.json"] = target("two"); }, 2, "cannot be a target's name");
  with([&](json::object& d) { targets(d)["web/production/v2.json"] = json::object{{"length", 3}, {"hashes", {{"sha512", "00"}}}}; }, 2, "without a SHA-256");
  with([&](json::object& d) { d["expires"] = to_string(now); }, 2, "expired at 2030-01-01T00:00:00Z");
  with([](json::object& d) { d["version"] = 7; }, 2, "says that it is version 7");
  with([](json::object& d) { d["_type"] = "snapshot"; }, 2, "type");
  with([&](json::object& d) {
    d["delegations"] = json::object{{"keys", json::object()}, {"roles", json::array{json::object{{"name", "x"}, {"keyids", json::array()}, {"threshold", 1},
                                                                                                {"paths", json::array{"web/*/*"}}}}}};
  }, 2, "delegates further");
  with([](json::object&) {}, 1, "published with other content");
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
}

TEST_F(Delegations, FollowNoLinkOutOfTheFolder) {
  ASSERT_TRUE(files::make_directories(repo / "incoming/web/metadata"));
  fs::create_symlink(keys / "timestamp.pem", repo / "incoming/web/metadata/1.web.json");
  expect_refused("web", "cannot be read as a plain file");
}

TEST_F(Delegations, TellOfANameThatAnotherRoleHas) {
  ASSERT_TRUE(writer().add_targets({{"web/production/v1.json", "mine"}}));
  forge("web", 1, web, [&](json::object& signed_) { signed_["targets"].as_object()["web/production/v1.json"] = target("evil"); });
  expect_refused("web", "is a target of role targets already");
  EXPECT_EQ(fetch("web/production/v1.json").value(), "mine");
}

TEST_F(Delegations, MayNeedTwoSignatures) {
  const auto second = crypto::SigningKey::generate();
  delegate("web", second, 2);
  {
    auto writing = role("web", web);
    ASSERT_TRUE(writing->add_targets({{"web/production/v1.json", "one"}}));
    EXPECT_EQ(writing->missing_signatures(), 1);
  }
  expect_refused("web", "1 of its role's 2 keys signed it rightly, 2 must");
  fs::remove_all(repo / "incoming/web/metadata");
  Keyring both = ring(web);
  both.add(signer_of(copy(second)));
  {
    auto writing = RoleWriter::open(repo, repo / "incoming", "web", both, [this] { return now; });
    ASSERT_TRUE(writing->add_targets({{"web/production/v1.json", "one"}}));
    EXPECT_EQ(writing->missing_signatures(), 0);
  }
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
}

TEST_F(Delegations, ChangeAKeyWithoutAGap) {
  hand_in("web", web, "web/production/v1.json", "one");
  ASSERT_TRUE(accept("web"));
  const auto next = crypto::SigningKey::generate();
  const auto early = writer().revoke({.role = "web", .keys = {web.public_key()}});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Errc::usage) << "no key would be left";
  delegate("web", next);
  const auto too_early = writer().revoke({.role = "web", .keys = {web.public_key()}});
  ASSERT_FALSE(too_early);
  EXPECT_EQ(too_early.error().code, Errc::conflict);
  ASSERT_TRUE(role("web", next)->refresh());
  ASSERT_TRUE(accept("web"));
  ASSERT_TRUE(writer().revoke({.role = "web", .keys = {web.public_key()}}));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
  const auto old = role("web", web)->refresh();
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, Errc::not_found);
}

TEST_F(Delegations, TakeAStolenKeyAwayAtOnce) {
  hand_in("web", web, "web/production/v1.json", "one");
  hand_in("web", web, "web/production/v2.json", "evil");
  ASSERT_TRUE(accept("web"));
  const auto next = crypto::SigningKey::generate();
  delegate("web", next);
  ASSERT_TRUE(writer().revoke({.role = "web", .keys = {web.public_key()}, .force = true}));
  EXPECT_EQ(fetch("web/production/v1.json").error().code, Errc::trust);
  EXPECT_THAT(read_repository(repo)->delegations[0].trouble, HasSubstr("signed it rightly"));
  EXPECT_EQ(role("web", next).error().code, Errc::trust) << "the new key's owner signs for nothing unseen";
  {
    auto writing = role("web", next, true);
    ASSERT_TRUE(writing) << writing.error().message;
    ASSERT_TRUE(writing->drop("web/production/v2.json"));
    ASSERT_TRUE(writing->refresh());
  }
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
  EXPECT_EQ(fetch("web/production/v2.json").error().code, Errc::not_found);
}

TEST_F(Delegations, TakenAwayWholeLeaveNothingOrAllToTheTargetsKey) {
  hand_in("web", web, "web/production/v1.json", "one");
  hand_in("shop", shop, "shop/production/v1.json", "two");
  ASSERT_TRUE(accept("web"));
  ASSERT_TRUE(accept("shop"));
  ASSERT_TRUE(writer().revoke({.role = "web"}));
  ASSERT_TRUE(writer().revoke({.role = "shop", .keep_targets = true}));
  EXPECT_EQ(fetch("web/production/v1.json").error().code, Errc::not_found);
  EXPECT_EQ(fetch("shop/production/v1.json").value(), "two");
  EXPECT_THAT(read_repository(repo)->delegations, IsEmpty());
  EXPECT_EQ(role("web", web).error().code, Errc::not_found);
}

TEST_F(Delegations, AreRefusedWhereTheyCannotWork) {
  const auto refused = [&](const DelegationChange& change, const std::string& says) {
    const auto done = writer().delegate(change);
    ASSERT_FALSE(done) << says;
    EXPECT_EQ(done.error().code, Errc::usage);
    EXPECT_THAT(done.error().message, HasSubstr(says));
  };
  refused({.role = "snapshot", .keys = {web.public_key()}, .paths = {"a/*"}}, "that every repository has");
  refused({.role = "../x", .keys = {web.public_key()}, .paths = {"a/*"}}, "lower-case letter");
  refused({.role = "new", .paths = {"new/*/*"}}, "has 0 keys");
  refused({.role = "new", .keys = {web.public_key()}, .paths = {"new/*/*"}, .threshold = 2}, "has 1 keys, so 2 of them");
  refused({.role = "new", .keys = {web.public_key()}, .paths = {"web/*/*"}}, "delegated to role web already");
}

TEST_F(Delegations, HaveOneWriterAtATime) {
  const auto first = role("web", web);
  ASSERT_TRUE(first);
  const auto second = role("web", web);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
}

TEST_F(Delegations, LeaveRefreshToTheTimestampKeyAlone) {
  fs::remove(keys / "snapshot.pem");
  fs::remove(keys / "targets.pem");
  const auto before = read_repository(repo)->roles;
  now += 24h * 3;
  ASSERT_TRUE(writer().refresh());
  const auto after = read_repository(repo)->roles;
  EXPECT_EQ(after[1].version, before[1].version + 1);
  EXPECT_EQ(after[2].version, before[2].version);
  EXPECT_EQ(after[1].expires, now + 24h * 7);
}

}  // namespace
}  // namespace berth::trust
