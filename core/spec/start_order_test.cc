#include "core/spec/start_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json/json.h"
#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Three processes, each with its line.
std::string toml_of_three(const std::string& cache, const std::string& web, const std::string& worker, const std::string& deploy = "") {
  return "app = \"shop\"\n[process.cache]\ncommand = [\"x\"]\n" + cache + "\n[process.web]\ncommand = [\"x\"]\n" + web + "\n[process.worker]\ncommand = [\"x\"]\n" +
         worker + "\n[deploy]\n" + deploy;
}

TEST(StartOrder, ComesAfterWhatIsNamedAndElseByName) {
  const auto spec = parse_toml(toml_of_three("after = [\"worker\"]", "after = [\"cache\"]", ""), "berth.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(start_order(*spec), ElementsAre("worker", "cache", "web"));
  EXPECT_THAT(start_order(*parse_toml(toml_of_three("", "", ""), "berth.toml")), ElementsAre("cache", "web", "worker"));
}

TEST(StartOrder, IsFoundAlsoWhereSomeWaitForEachOther) {
  const Waiting waiting{{"a", {"b", "gone"}}, {"b", {"a"}}, {"c", {}}};
  EXPECT_THAT(in_order({"c", "a", "b"}, waiting), ElementsAre("c", "b", "a"));
  EXPECT_THAT(circle_of("a", waiting), ElementsAre("a", "b", "a"));
  EXPECT_THAT(circle_of("c", waiting), IsEmpty());
  EXPECT_THAT(circle_of("d", {{"d", {"a"}}, {"a", {"b"}}, {"b", {"a"}}}), IsEmpty()) << "it waits for a circle, and is not in it";
}

TEST(StartOrder, WhatCannotBeIsRefused) {
  const std::tuple<std::string, std::string> table[] = {
      {toml_of_three("", "after = [\"cach\"]", ""), "names 'cach', which is no process of this app (did you mean 'cache'?); apps go into [deploy] after"},
      {toml_of_three("", "after = [\"web\"]", ""), "names 'web' itself"},
      {toml_of_three("", "after = [\"cache\", \"cache\"]", ""), "names 'cache' twice"},
      {toml_of_three("", "after = [\"No\"]", ""), "has 'No', which is no name"},
      {toml_of_three("after = [\"worker\"]", "after = [\"cache\"]", "after = [\"web\"]"), "goes round in a circle: cache after worker after web after cache"},
      {toml_of_three("", "", "", "after = [\"shop\"]"), "names 'shop' itself"},
      {toml_of_three("", "", "", "after = [\"a b\"]"), "has 'a b', which is no name"},
      {toml_of_three("", "", "", "priority = 1001"), "priority"},
      {toml_of_three("", "", "", "priority = \"high\""), "priority"},
  };
  for (const auto& [text, why] : table) {
    const auto spec = parse_toml(text, "berth.toml");
    ASSERT_FALSE(spec) << why;
    EXPECT_THAT(spec.error().message, HasSubstr(why));
    EXPECT_EQ(spec.error().message.find('\n'), std::string::npos) << "one thing is wrong, and is said once: " << spec.error().message;
  }
}

TEST(StartOrder, IsInAManifestOnlyWhereItWasSaid) {
  const auto plain = parse_toml(toml_of_three("", "", ""), "berth.toml");
  const std::string text = json::text(to_json(*plain));
  EXPECT_EQ(text.find("after"), std::string::npos);
  EXPECT_EQ(text.find("priority"), std::string::npos);

  const auto spec = parse_toml(toml_of_three("", "after = [\"cache\", \"worker\"]", "", "priority = -7\nafter = [\"db\"]"), "berth.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->deploy.priority, -7);
  EXPECT_THAT(spec->deploy.after, ElementsAre("db"));
  const auto again = from_json(*json::parse(json::text(to_json(*spec))));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *spec);

  std::string zero = json::text(to_json(*spec));
  zero.replace(zero.find("-7"), 2, "0");
  EXPECT_THAT(from_json(*json::parse(zero)).error().message, HasSubstr("is not written"));
}

}  // namespace
}  // namespace berth::spec
