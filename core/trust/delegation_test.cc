// What the keys of one app can do to a repository, and what they cannot.

#include "core/trust/delegation_fixture.h"

namespace berth::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
  EXPECT_THAT(signing.error().message, testing::AllOf(HasSubstr("the key of role shop is not at hand: what was given (key "), HasSubstr(") is none of its keys (key ")));
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
  EXPECT_THAT(read_repository(repo)->dropped, ElementsAre("web/production/v2.json"));

  const auto again = role("web", next)->add_targets({{"web/production/v2.json", "good"}});
  ASSERT_FALSE(again) << "a node may have the evil one";
  EXPECT_EQ(again.error().code, Errc::exists);
  hand_in("web", next, "web/production/v3.json", "three");
  ASSERT_TRUE(accept("web"));
  EXPECT_THAT(read_repository(repo)->dropped, ElementsAre("web/production/v2.json")) << "later versions keep the list";
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

TEST_F(Delegations, NeedMoreSignaturesOnceWhatIsPublishedHasThem) {
  const crypto::SigningKey second = crypto::SigningKey::generate();
  hand_in("web", web, "web/production/v1.json", "one");
  ASSERT_TRUE(accept("web"));
  const auto at_once = writer().delegate({.role = "web", .keys = {second.public_key()}, .threshold = 2});
  ASSERT_FALSE(at_once) << "nodes would find no release of it";
  EXPECT_EQ(at_once.error().code, Errc::conflict);
  EXPECT_THAT(at_once.error().message, HasSubstr("version 1 of role web is not signed by 2 of its keys"));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");

  ASSERT_TRUE(writer().delegate({.role = "web", .keys = {second.public_key()}}));
  Keyring both = ring(web);
  both.add(signer_of(copy(second)));
  ASSERT_TRUE(RoleWriter::open(repo, repo / "incoming", "web", both, [this] { return now; })->refresh());
  ASSERT_TRUE(accept("web"));
  ASSERT_TRUE(writer().delegate({.role = "web", .threshold = 2}));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
  ASSERT_TRUE(writer().delegate({.role = "shop", .keys = {second.public_key()}, .threshold = 2})) << "nothing is published of it yet";
  ASSERT_TRUE(writer().delegate({.role = "web", .keys = {shop.public_key()}, .threshold = 3, .force = true}));
  EXPECT_FALSE(fetch("web/production/v1.json"));
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
