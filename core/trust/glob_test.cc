#include "core/trust/glob.h"

#include <string>

#include <gtest/gtest.h>

namespace berth::trust {
namespace {

struct Case {
  const char* pattern;
  const char* name;
  bool matches;
};

TEST(Glob, MatchesPathSegmentBySegment) {
  for (const Case& c : {
           Case{"web/*", "web/v1.json", true},
           {"web/*", "web/production/v1.json", false},
           {"*", "web/v1", false},
           {"*", "v1", true},
           {"*", "", true},
           {"", "", true},
           {"", "a", false},
           {"a?c", "abc", true},
           {"a?c", "a/c", false},
           {"a?c", "ac", false},
           {"*/*.tgz", "a/b.tgz", true},
           {"*/*.tgz", "b.tgz", false},
           {"*.tgz", "/b.tgz", false},
           {"web/*", "Web/v1", false},
           {"web/", "web/", true},
           {"web/*", "web", false},
           {"*a*b*c", "xxaxxbxxbc", true},
           {"*a*b*c", "xxaxxcxxb", false},
           {"v[0-9].json", "v7.json", true},
           {"v[!0-9].json", "v7.json", false},
           {"v[!0-9].json", "vx.json", true},
           {"v[]a]", "v]", true},
           {"v[a", "v[a", true},
           {"v[a", "va", false},
           {"a\\*", "a\\b", true},
           {"a\\*", "a*", false},
           {"*", ".hidden", true},
       })
    EXPECT_EQ(matches_glob(c.pattern, c.name), c.matches) << c.pattern << " " << c.name;
}

TEST(Glob, DoesNotTakeExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(5000, 'a')));
}

}  // namespace
}  // namespace berth::trust
