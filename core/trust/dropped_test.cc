#include "core/trust/dropped.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/trust/delegation_fixture.h"
#include "core/trust/target_files.h"

namespace berth::trust {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Dropped numbered(const std::string& folder, int count) {
  Dropped names;
  for (int number = 1; number <= count; ++number) names.insert(fmt::format("{}v{}.json", folder, number));
  return names;
}

TEST(DroppedNames, AreAListThatOnlyGrows) {
  json::object document{{"targets", json::object()}};
  add_dropped(document, {});
  EXPECT_FALSE(document.contains("dropped")) << "what never dropped anything is signed as ever";
  add_dropped(document, {"web/production/v2.json"});
  add_dropped(document, {"web/production/v1.json", "web/production/v2.json"});
  EXPECT_THAT(dropped_in(document), ElementsAre("web/production/v1.json", "web/production/v2.json"));
  EXPECT_EQ(json::canonical(document["dropped"]).value(), R"(["web/production/v1.json","web/production/v2.json"])");
}

TEST(DroppedNames, ArePassedOverWhereTheyAreNone) {
  EXPECT_THAT(dropped_in({{"dropped", "web/production/v1.json"}}), IsEmpty());
  EXPECT_THAT(dropped_in({{"dropped", json::array{1, "a", nullptr}}}), ElementsAre("a"));
}

TEST(DroppedNames, KeepTheHighestNumbersWhereThereAreTooMany) {
  Dropped all = join_dropped(numbered("web/production/", kMostDropped), numbered("shop/production/", 3));
  EXPECT_THAT(all, SizeIs(kMostDropped));
  EXPECT_THAT(all, Contains("shop/production/v1.json")) << "another app's stay";
  EXPECT_THAT(all, Contains(fmt::format("web/production/v{}.json", kMostDropped)));
  EXPECT_THAT(all, Contains("web/production/v4.json"));
  for (int gone = 1; gone <= 3; ++gone) EXPECT_THAT(all, Not(Contains(fmt::format("web/production/v{}.json", gone))));
}

using DroppedNamesOfRoles = Delegations;

TEST_F(DroppedNamesOfRoles, LetNoKeyTouchTheListOfDroppedNames) {
  hand_in("web", web, "web/production/v1.json", "one");
  hand_in("web", web, "web/production/v2.json", "evil");
  ASSERT_TRUE(accept("web"));
  const auto next = crypto::SigningKey::generate();
  delegate("web", next);
  ASSERT_TRUE(writer().revoke({.role = "web", .keys = {web.public_key()}, .force = true}));
  const auto with = [&](std::int64_t version, const std::map<std::string, std::string>& targets, const json::array& dropped, const std::string& says) {
    forge("web", version, next, [&](json::object& document) {
      ASSERT_TRUE(write_targets(repo / "incoming/web/targets", targets, document["targets"].as_object()));
      if (!dropped.empty()) document["dropped"] = dropped;
    });
    if (!says.empty()) expect_refused("web", says);
  };
  const std::string v1 = "web/production/v1.json", v2 = "web/production/v2.json", v3 = "web/production/v3.json";
  with(3, {{v1, "one"}}, {}, "lacks 'web/production/v2.json'");
  with(3, {{v1, "one"}}, {json::value(v2), "shop/production/v1.json"}, "has 'shop/production/v1.json', which the version before neither listed nor had dropped");
  with(3, {{v1, "one"}}, {json::value(v2)}, "");
  ASSERT_TRUE(accept("web"));
  with(4, {{v1, "one"}, {v3, "three"}}, {}, "lacks 'web/production/v2.json'");
  with(4, {{v1, "one"}, {v2, "other"}}, {json::value(v2)}, "'web/production/v2.json' was published and has been dropped");
  with(4, {{v1, "one"}, {v3, "three"}}, {json::value(v2)}, "");
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch(v3).value(), "three");
}

TEST_F(DroppedNamesOfRoles, LeaveTheNamesOfATakenRoleToTheTargetsRole) {
  hand_in("web", web, "web/production/v1.json", "one");
  ASSERT_TRUE(accept("web"));
  ASSERT_TRUE(writer().delegate({.role = "web", .paths = {"web/staging/*"}}));
  EXPECT_THAT(read_repository(repo)->dropped, ElementsAre("web/production/v1.json")) << "nobody finds it any more";
  ASSERT_TRUE(writer().delegate({.role = "web", .paths = {"web/*/*"}}));
  ASSERT_TRUE(writer().revoke({.role = "web"}));
  const auto own = writer().add_targets({{"web/production/v1.json", "two"}});
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, Errc::exists);

  const auto next = crypto::SigningKey::generate();
  ASSERT_TRUE(writer().delegate({.role = "site", .keys = {next.public_key()}, .paths = {"web/*/*"}}));
  forge("site", 1, next, [&](json::object& document) { document["targets"].as_object()["web/production/v1.json"] = target("two"); });
  expect_refused("site", "'web/production/v1.json' was published and has been dropped");
  fs::remove_all(repo / "incoming/site");
  hand_in("site", next, "web/production/v2.json", "two");
  ASSERT_TRUE(accept("site"));
  ASSERT_TRUE(writer().refresh());
  EXPECT_THAT(read_repository(repo)->dropped, ElementsAre("web/production/v1.json"));
  EXPECT_EQ(fetch("web/production/v2.json").value(), "two") << "readers take no notice of the list";
}

TEST_F(DroppedNamesOfRoles, GiveATakenRoleBackWithWhatItListed) {
  hand_in("web", web, "web/production/v1.json", "one");
  ASSERT_TRUE(accept("web"));
  ASSERT_TRUE(writer().revoke({.role = "web"}));
  delegate("web", web);
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
  hand_in("web", web, "web/production/v2.json", "two");
  ASSERT_TRUE(accept("web"));
  EXPECT_EQ(fetch("web/production/v2.json").value(), "two");
}

}  // namespace
}  // namespace berth::trust
