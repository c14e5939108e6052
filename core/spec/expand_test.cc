#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::map<std::string, std::string> kValues{{"PORT", "8080"}, {"EMPTY", ""}, {"NESTED", "${PORT}"}, {"secret:db", "x"}};

TEST(Expand, PutsValuesInPlaceOnce) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""},
      {"--port=${PORT}", "--port=8080"},
      {"${PORT}${PORT}", "80808080"},
      {"a${EMPTY}b", "ab"},
      {"${NESTED}", "${PORT}"},  // a value is not expanded again
      {"$${PORT}", "${PORT}"},
      {"$$", "$"},
      {"$uri and $ and }", "$uri and $ and }"},  // nginx' own variables stay
      {"trailing $", "trailing $"},
      {"${secret:db}", "x"}};
  for (const auto& [text, expected] : kCases) {
    const auto expanded = expand(text, kValues);
    ASSERT_TRUE(expanded) << text << ": " << expanded.error().message;
    EXPECT_EQ(*expanded, expected) << text;
  }
}

TEST(Expand, NamesWhatIsUnknownAndWhatWasMeant) {
  const auto expanded = expand("listen ${PROT};", kValues);
  ASSERT_FALSE(expanded);
  EXPECT_EQ(expanded.error().code, Errc::usage);
  EXPECT_EQ(expanded.error().message, "nothing is known as '${PROT}' (did you mean '${PORT}'?)");
  const auto label = expand("${node.labels.rack}", {{"node.labels.row", "2"}});
  EXPECT_EQ(label.error().message, "nothing is known as '${node.labels.rack}': this node has no label 'rack'; its labels are in [labels] of berthd.toml");
}

TEST(Expand, RefusesReferencesThatAreNotClosed) {
  for (const char* text : {"${PORT", "a ${", "${PORT\n}", "${}"}) {
    EXPECT_FALSE(expand(text, kValues)) << text;
    EXPECT_FALSE(references(text)) << text;
  }
  EXPECT_THAT(expand("x ${PORT", kValues).error().message, HasSubstr("'${PORT' has no closing brace"));
}

TEST(References, AreGivenInOrder) {
  EXPECT_THAT(references("${A} $$ ${secret:db} $${B} ${node.labels.rack}").value(), ElementsAre("A", "secret:db", "node.labels.rack"));
}

}  // namespace
}  // namespace berth::spec
