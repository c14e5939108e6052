#include "core/bundle/paths.h"

#include <gtest/gtest.h>

namespace berth::bundle {
namespace {

TEST(Paths, AreCleanAndRelative) {
  for (const char* path : {"a", "a/b", "a b/c", ".hidden", "..a", "a..", "…", "ümläut", "a\\b", "a:b"}) EXPECT_EQ(wrong_path(path), "") << path;
  const std::pair<std::string, const char*> kCases[] = {
      {"", "is empty"},
      {"/a", "is absolute"},
      {"a/", "has an empty part"},
      {"a//b", "has an empty part"},
      {".", "has a part '.' or '..'"},
      {"./a", "has a part '.' or '..'"},
      {"a/../b", "has a part '.' or '..'"},
      {"a/..", "has a part '.' or '..'"},
      {"a\nb", "has control characters"},
      {std::string("a\0b", 3), "has control characters"},
      {"a\x7f", "has control characters"},
      {"a\xff", "is not UTF-8"},
      {"\xed\xa0\x80", "is not UTF-8"},  // a surrogate
      {std::string(256, 'a'), "has a part of more than 255 bytes"},
      {std::string(1025, 'a'), "is longer than 1024 bytes"}};
  for (const auto& [path, why] : kCases) EXPECT_EQ(wrong_path(path), why) << path;
}

TEST(Targets, StayInTheTree) {
  const std::pair<const char*, const char*> kGood[] = {
      {"a", "b"}, {"a", "b/c"}, {"a", "./b"}, {"a", "."}, {"d/a", "../b"}, {"d/e/a", "../../b"}, {"d/a", ".."}, {"a", "dangling"}};
  for (const auto& [path, target] : kGood) EXPECT_EQ(wrong_target(path, target), "") << path << " -> " << target;
  const struct {
    const char *path, *target, *why;
  } kCases[] = {{"a", "", "target is empty"},
                {"a", "/etc/passwd", "target is absolute"},
                {"a", "..", "target leads out of the tree"},
                {"d/a", "../../b", "target leads out of the tree"},
                {"a", "./../b", "target leads out of the tree"},
                {"d/e/a", "up/../..", "target goes down and up again"},  // `up` may itself be a link upwards
                {"a", "b/", "target has an empty part"},
                {"a", "b//c", "target has an empty part"},
                {"a", "b\n", "target has control characters"}};
  for (const auto& [path, target, why] : kCases) EXPECT_EQ(wrong_target(path, target), why) << path << " -> " << target;
}

}  // namespace
}  // namespace berth::bundle
