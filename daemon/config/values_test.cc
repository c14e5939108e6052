#include "daemon/config/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::config {
namespace {

using testing::HasSubstr;

TEST(ConfigValues, ListenTakesNumericAddressesOfBothFamilies) {
  EXPECT_EQ(parse_listen("127.0.0.1:9464").value(), (Listen{"127.0.0.1", 9464}));
  EXPECT_EQ(parse_listen("[::1]:1").value(), (Listen{"::1", 1}));
  EXPECT_EQ(to_string(Listen{"::1", 80}), "[::1]:80");
  EXPECT_EQ(to_string(Listen{"0.0.0.0", 80}), "0.0.0.0:80");
}

TEST(ConfigValues, ListenSaysWhatIsWrongWithAnAddress) {
  const std::pair<const char*, const char*> cases[] = {
      {"127.0.0.1", "no port"},       {"127.0.0.1:", "no port"},        {"127.0.0.1:0", "1 to 65535"}, {"127.0.0.1:65536", "1 to 65535"},
      {"127.0.0.1:80x", "1 to 65535"}, {"localhost:80", "no numeric"},  {"::1:80", "without brackets"}, {"[127.0.0.1]:80", "in its brackets"},
      {":80", "no numeric"},
  };
  for (const auto& [text, why] : cases) {
    const auto listen = parse_listen(text);
    ASSERT_FALSE(listen) << text;
    EXPECT_EQ(listen.error().code, Errc::usage);
    EXPECT_THAT(listen.error().message, HasSubstr(why)) << text;
  }
}

TEST(ConfigValues, SizesHaveDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_size("256MB").value(), 256'000'000u);
  EXPECT_EQ(parse_size("1 GiB").value(), 1u << 30);
  EXPECT_EQ(parse_size("2TB").value(), 2'000'000'000'000u);
  EXPECT_EQ(parse_size("0B").value(), 0u);
  for (const char* text : {"", "MB", "12", "-1MB", "1.5MB", "1XB", "1MBs", "99999999999999999999B", "10000000TiB"}) EXPECT_FALSE(parse_size(text)) << text;
}

TEST(ConfigValues, PathsAreAbsoluteAndPlain) {
  EXPECT_EQ(parse_path("/var/lib/berth/").value(), "/var/lib/berth");
  EXPECT_EQ(parse_path("/").value(), "/");
  for (const char* text : {"", "var", "./var", "/var/../etc", "/var/./lib", "/var//lib"}) EXPECT_FALSE(parse_path(text)) << text;
  EXPECT_FALSE(parse_path("/" + std::string(10, 'a'), 10));
  EXPECT_TRUE(parse_path("/" + std::string(9, 'a'), 10));
  EXPECT_FALSE(parse_path(std::string_view("/a\0b", 4)));
}

TEST(ConfigValues, UrlsAreOfAKnownSchemeAndTellNoPassword) {
  EXPECT_EQ(parse_url("https://releases.example.org/berth/").value(), "https://releases.example.org/berth");
  EXPECT_EQ(parse_url("http://10.0.0.1:8080").value(), "http://10.0.0.1:8080");
  EXPECT_EQ(parse_url("file:///srv/repo").value(), "file:///srv/repo");
  for (const char* text : {"", "/srv/repo", "ftp://host/", "https://", "https:///x", "file://srv/repo", "file:///srv/../repo", "https://host/a b",
                           "https://host/?x=1", "https://host/#x"})
    EXPECT_FALSE(parse_url(text)) << text;
  const auto secret = parse_url("https://user:hunter2@host/");
  ASSERT_FALSE(secret);
  EXPECT_THAT(secret.error().message, testing::Not(HasSubstr("hunter2")));
}

TEST(ConfigValues, NamesOfNodesGroupsAndLabels) {
  EXPECT_TRUE(is_node_name("edge-1.example.org"));
  EXPECT_FALSE(is_node_name(""));
  EXPECT_FALSE(is_node_name("edge 1"));
  EXPECT_TRUE(is_group_name("berth"));
  EXPECT_TRUE(is_group_name("_ops"));
  EXPECT_FALSE(is_group_name("9ops"));
  EXPECT_FALSE(is_group_name("-ops"));
  EXPECT_TRUE(is_label("rack_row-1"));
  EXPECT_FALSE(is_label("rack.row"));
}

}  // namespace
}  // namespace berth::config
