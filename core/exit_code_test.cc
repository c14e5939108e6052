#include "core/exit_code.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(ExitCode, IsTheContractOfTheCommandLine) {
  const std::pair<Errc, int> table[] = {
      {Errc::usage, 2},      {Errc::not_found, 3},  {Errc::exists, 8},      {Errc::trust, 4},    {Errc::protocol, 1},
      {Errc::refused, 6},    {Errc::timeout, 1},    {Errc::unreachable, 6}, {Errc::permission, 7}, {Errc::conflict, 8},
      {Errc::no_space, 1},   {Errc::cancelled, 8},  {Errc::io, 1},          {Errc::internal, 1},
  };
  for (const auto& [code, exit] : table) EXPECT_EQ(static_cast<int>(exit_code(code)), exit) << to_string(code);
}

TEST(ExitCode, OfAPeerLeadsBackToItself) {
  for (const Exit exit : {Exit::usage, Exit::not_found, Exit::trust, Exit::unreachable, Exit::permission, Exit::conflict})
    EXPECT_EQ(exit_code(errc_of(exit)), exit);
}

TEST(ExitCode, HasAMeaningForEach) {
  for (int number = 0; number <= 9; ++number) EXPECT_FALSE(meaning(static_cast<Exit>(number)).empty()) << number;
}

}  // namespace
}  // namespace berth
