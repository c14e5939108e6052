#include "cli/enrol/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::cli::enrol {
namespace {

using Kind = Name::Kind;

TEST(Names, AreTakenForWhatTheyAre) {
  const struct {
    const char* text;
    Kind kind;
  } cases[] = {{"edge-1.example.org", Kind::dns}, {"localhost", Kind::dns}, {"*.edge.example.org", Kind::dns}, {"10.0.0.7", Kind::address}, {"::1", Kind::address},
               {"2001:db8::7", Kind::address}, {"alice@example.org", Kind::email}, {"spiffe://example.org/ci", Kind::uri}};
  for (const auto& one : cases) {
    const auto name = parse_name(one.text);
    ASSERT_TRUE(name) << one.text;
    EXPECT_EQ(name->kind, one.kind) << one.text;
    EXPECT_EQ(name->text, one.text);
  }
  for (const char* text : {"", "a b", "10.0.0", "-", "a..b", "*", "*.", "@example.org", "alice@", "://x", "a\nb", "é.example.org"}) {
    const bool refused = !parse_name(text);
    EXPECT_TRUE(refused || std::string(text) == "-") << text;
  }
}

TEST(Names, AreTheSameAfterDer) {
  const auto names = parse_names({"edge-1.example.org", "10.0.0.7", "2001:db8::7", "alice@example.org", "spiffe://example.org/ci"});
  ASSERT_TRUE(names);
  EXPECT_EQ(from_der(to_der(*names)), *names);
  EXPECT_EQ(to_string(*names), "edge-1.example.org, 10.0.0.7, 2001:db8::7, alice@example.org, spiffe://example.org/ci");
}

TEST(Names, GivenTwiceCountOnce) { EXPECT_EQ(parse_names({"a.example", "a.example"})->size(), 1u); }

TEST(Names, DerThatIsCutOffGivesWhatWasBeforeAndNoMore) {
  const std::string der = to_der(*parse_names({"a.example", "b.example"}));
  for (std::size_t size = 0; size < der.size(); ++size) EXPECT_LE(from_der(std::string_view(der).substr(0, size)).size(), 2u);
  EXPECT_TRUE(from_der("").empty());
  EXPECT_TRUE(from_der(std::string("\x30\x05\x82\x03\x00\x00\x00", 7)).empty()) << "a name with NULs is none";
}

TEST(Names, ACommonNameHasNothingThatMeansSomethingThere) {
  EXPECT_EQ(common_name(*parse_names({"spiffe://example.org/a=b", "edge-1"})), "edge-1");
  EXPECT_EQ(common_name({}), "berth");
}

}  // namespace
}  // namespace berth::cli::enrol
