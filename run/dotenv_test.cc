#include "run/dotenv.h"

#include <gmock/gmock.h>

namespace berth::run {
namespace {

using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

TEST(Dotenv, HasAVariableALine) {
  const struct {
    const char* text;
    Variables values;
  } table[] = {
      {"", {}},
      {"# nothing\n\n  \r\n", {}},
      {"A=1\nB=two words \r\nexport C = 3", {{"A", "1"}, {"B", "two words"}, {"C", "3"}}},
      {"\xEF\xBB\xBF" "A=1", {{"A", "1"}}},
      {"A=1\nA=2\n", {{"A", "2"}}},
      {"A=\nB=''\nC=\"\"", {{"A", ""}, {"B", ""}, {"C", ""}}},
      {"A=1 # one\nB=a#b\nC= # all\nD='#' # said\nE=#fff # white", {{"A", "1"}, {"B", "a#b"}, {"C", ""}, {"D", "#"}, {"E", "#fff"}}},
      {"A='$X \\n \"'\nB=\"$X \\n\\t\\r\\\\ \\\" \\$ \\q '\"", {{"A", "$X \\n \""}, {"B", "$X \n\t\r\\ \" $ \\q '"}}},
      {"A=\"one\ntwo\"\nB='one\ntwo'\nC=3", {{"A", "one\ntwo"}, {"B", "one\ntwo"}, {"C", "3"}}},
      {"URL=postgres://u:p@h/d?x=1&y=2", {{"URL", "postgres://u:p@h/d?x=1&y=2"}}},
      {"_x9=${HOME}", {{"_x9", "${HOME}"}}},
  };
  for (const auto& row : table) {
    const auto read = parse_dotenv(row.text, ".env");
    ASSERT_TRUE(read) << row.text << ": " << read.error().message;
    EXPECT_EQ(*read, row.values) << row.text;
  }
}

TEST(Dotenv, SaysWhereSomethingIsWrong) {
  const std::pair<std::string, const char*> table[] = {
      {"A=1\nB\n", "app/.env:2: NAME=value is expected"},
      {"A=1\n\n1B=2\n", "app/.env:3: '1B' is no variable's name"},
      {"=2\n", "app/.env:1: '' is no variable's name"},
      {"A='\n\nB=1\n", "app/.env:1: the value of A begins with '"},
      {"B='1\n2'\nA=\"x\\\"\n", "app/.env:3: the value of A begins with \""},
      {"A='1' 2\n", "app/.env:1: something stands behind"},
      {std::string("A=1\0002", 5), "app/.env:1: the value of A has a NUL"},
  };
  for (const auto& [text, says] : table) {
    const auto read = parse_dotenv(text, "app/.env");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::usage);
    EXPECT_THAT(read.error().message, HasSubstr(says));
  }
}

}  // namespace
}  // namespace berth::run
