#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/core.h>

#include "daemon/api/revisions.h"

namespace berth::api {
namespace {

TEST(Revisions, ChangeWithWhatIsAskedForAndDecided) {
  Revisions revisions;
  const std::string before = revisions.tag("web", "v1");
  EXPECT_EQ(revisions.tag("web", "v1"), before);
  EXPECT_NE(revisions.tag("web", "v2"), before);
  EXPECT_NE(revisions.tag("blog", "v1"), before);
  revisions.change("blog");
  EXPECT_EQ(revisions.tag("web", "v1"), before);
  revisions.change("web");
  EXPECT_NE(revisions.tag("web", "v1"), before);
  EXPECT_NE(Revisions().tag("web", "v1"), revisions.tag("web", "v1")) << "another berthd";
  EXPECT_THAT(before, testing::MatchesRegex("\"[0-9a-f]+\""));
}

TEST(Revisions, OfNamesWithoutEndTakeNoMemoryWithoutEnd) {
  Revisions revisions;
  revisions.change("web");
  const std::string before = revisions.tag("web", "v1");
  for (int i = 0; i < 5000; ++i) revisions.change(fmt::format("app-{}", i));
  EXPECT_NE(revisions.tag("web", "v1"), before) << "what is not known any more is taken for changed";
}

TEST(IfMatch, IsReadAsTheStandardHasIt) {
  const std::pair<std::string_view, bool> table[] = {{"\"a\"", true},  {"*", true},           {" * ", true},        {"\"b\"", false},           {"\"b\", \"a\"", true},
                                                     {"W/\"a\"", false}, {"W/\"a\",\"a\"", true}, {"\"\"", false}, {"\"b,a\"", false}, {"\t\"b\"\t,\t\"a\" ", true}};
  for (const auto& [header, fits] : table) {
    const auto found = matches(header, "\"a\"");
    ASSERT_TRUE(found) << header;
    EXPECT_EQ(*found, fits) << header;
  }
  for (const std::string_view wrong : {"", " ", "a", "\"a", "\"a\",", "\"a\" \"b\"", "*, \"a\"", "* *", "w/\"a\"", ",\"a\""}) EXPECT_FALSE(matches(wrong, "\"a\"")) << wrong;
  std::string many = "\"b\"";
  for (int i = 0; i < 100; ++i) many += ",\"b\"";
  EXPECT_FALSE(matches(many, "\"a\""));
}

}  // namespace
}  // namespace berth::api
