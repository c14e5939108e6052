#include <gtest/gtest.h>

#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> known{"command", "instances", "port", "socket", "stop", "restart", "readiness"};
  const std::pair<const char*, const char*> kCases[] = {
      {"comand", "command"}, {"instancs", "instances"}, {"prot", "port"}, {"Port", "port"}, {"sockte", "socket"}, {"redyness", "readiness"}};
  for (const auto& [word, meant] : kCases) EXPECT_EQ(nearest(word, known), meant) << word;
}

TEST(Nearest, KeepsSilentWhereNothingIsNear) {
  EXPECT_EQ(nearest("colour", {"command", "port"}), std::nullopt);
  EXPECT_EQ(nearest("x", {"port"}), std::nullopt);
  EXPECT_EQ(nearest("port", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'a'), {std::string(100'000, 'a')}), std::nullopt);
}

}  // namespace
}  // namespace berth::spec
