#include "cli/output/charset.h"

#include <cstdlib>
#include <map>
#include <optional>

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

/// The variables that say the locale, for as long as this lives.
class Locale {
 public:
  explicit Locale(const std::map<std::string, std::string>& variables) {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Locale() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) ::unsetenv(name);
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Locale(const Locale&) = delete;
  Locale& operator=(const Locale&) = delete;

 private:
  std::map<std::string, std::string> before_;
};

bool has_utf8(const std::map<std::string, std::string>& variables) {
  const Locale locale(variables);
  return locale_has_utf8();
}

TEST(Charset, IsWhatTheLocaleSays) {
  EXPECT_TRUE(has_utf8({{"LANG", "C.UTF-8"}}));
  EXPECT_TRUE(has_utf8({{"LANG", "C"}, {"LC_CTYPE", "C.UTF-8"}}));
  EXPECT_TRUE(has_utf8({{"LANG", "C"}, {"LC_CTYPE", "C"}, {"LC_ALL", "C.UTF-8"}}));
  EXPECT_FALSE(has_utf8({}));
  EXPECT_FALSE(has_utf8({{"LANG", "C"}}));
  EXPECT_FALSE(has_utf8({{"LANG", "POSIX"}}));
  EXPECT_FALSE(has_utf8({{"LANG", "C.UTF-8"}, {"LC_CTYPE", "C"}}));
  EXPECT_FALSE(has_utf8({{"LANG", "C.UTF-8"}, {"LC_ALL", "C"}}));
}

TEST(Charset, OfALocaleThatThisSystemDoesNotHaveIsTheOneThatItsNameSays) {
  EXPECT_TRUE(has_utf8({{"LANG", "tlh_QO.UTF-8"}}));
  EXPECT_TRUE(has_utf8({{"LANG", "tlh_QO.utf8@latin"}}));
  EXPECT_FALSE(has_utf8({{"LANG", "tlh_QO.ISO-8859-1"}}));
  EXPECT_FALSE(has_utf8({{"LANG", "tlh_QO"}}));
}

TEST(Charset, HasFormsInAscii) {
  EXPECT_EQ(in_ascii("v1 → v2 … 3 × web"), "v1 -> v2 ... 3 x web");
  EXPECT_EQ(in_ascii("größe \xF0\x9F\x9A\xA2\n"), "gr\\u00f6\\u00dfe \\U0001f6a2\n");
  EXPECT_EQ(in_ascii("\xff\x1b[1m"), "\\xff\x1b[1m");
  EXPECT_EQ(in_ascii(""), "");
}

}  // namespace
}  // namespace berth::cli
