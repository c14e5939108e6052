#include <gtest/gtest.h>

#include "core/json/json.h"

namespace berth::json {
namespace {

value object_of(std::string_view text) { return parse(text).value(); }

TEST(ObjectReader, GivesMembersAndDefaults) {
  const value json = object_of(R"({"s":"text","n":7,"b":true,"l":[1],"o":{"x":1}})");
  ObjectReader reader(json, "test");
  EXPECT_EQ(reader.string("s"), "text");
  EXPECT_EQ(reader.string_or("t", "other"), "other");
  EXPECT_EQ(reader.integer("n"), 7);
  EXPECT_EQ(reader.integer_or("m", 3), 3);
  EXPECT_TRUE(reader.boolean_or("b", false));
  EXPECT_EQ(reader.list("l").size(), 1u);
  EXPECT_EQ(reader.list_or_empty("k").size(), 0u);
  EXPECT_EQ(reader.members("o").size(), 1u);
  EXPECT_EQ(reader.members_or_empty("p").size(), 0u);
  EXPECT_EQ(reader.maybe("q"), nullptr);
  EXPECT_TRUE(reader.done());
}

/// What is said of `text` by a reader that asks for an integer `n` of 1 to 9.
std::string field_complaint(std::string_view text) {
  const value json = object_of(text);
  ObjectReader reader(json, "thing", Errc::usage);
  reader.integer("n", 1, 9);
  const auto done = reader.done();
  if (done) return "";
  EXPECT_EQ(done.error().code, Errc::usage);
  return done.error().message;
}

TEST(ObjectReader, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(field_complaint(R"({"n":9})"), "");
  EXPECT_EQ(field_complaint(R"({})"), "thing: member 'n' is missing");
  EXPECT_EQ(field_complaint(R"({"n":"1"})"), "thing: member 'n' is not an integer");
  EXPECT_EQ(field_complaint(R"({"n":10})"), "thing: member 'n' is 10, not in 1 to 9");
  EXPECT_EQ(field_complaint(R"({"n":1,"zeta":0})"), "thing: member 'zeta' is not known");
  EXPECT_EQ(field_complaint(R"({"m":1,"l":2})"), "thing: member 'n' is missing, and 'm' is not known") << "a slip, maybe";
  EXPECT_EQ(field_complaint(R"([1])"), "thing: is not an object");
}

TEST(ObjectReader, TellsTheFirstOfSeveralComplaints) {
  const value json = object_of(R"({"a":1})");
  ObjectReader reader(json, "thing");
  reader.string("a");
  reader.list("b");
  reader.complain("something else");
  EXPECT_EQ(reader.done().error().message, "thing: member 'a' is not a string");
}

TEST(ObjectReader, LeavesUnknownMembersAloneWhereOpen) {
  const value json = object_of(R"({"a":"1","more":2})");
  ObjectReader reader(json, "thing");
  reader.string("a");
  EXPECT_TRUE(reader.done(true));
}

}  // namespace
}  // namespace berth::json
