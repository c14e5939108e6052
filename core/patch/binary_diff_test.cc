#include "core/patch/binary_diff.h"

#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace berth::patch {
namespace {

std::string made_of(const Script& script, std::string_view old) {
  std::string made;
  const auto done = apply(to_bytes(script), old, script.made(), [&](std::string_view piece) -> Result<void> {
    made += piece;
    return {};
  });
  EXPECT_TRUE(done) << done.error().message;
  return made;
}

/// Something like a program: functions of random bytes that call each other by distance.
struct Program {
  static constexpr std::size_t kFunctions = 60, kFunction = 900;

  static std::string of(std::size_t grown) {
    std::mt19937 random(3);
    std::vector<std::string> functions(kFunctions);
    for (std::string& one : functions)
      for (std::size_t i = 0; i < kFunction; ++i) one += static_cast<char>(random() % 64 + 0x90);
    functions[10].insert(400, std::string(grown, 'n'));
    std::vector<std::size_t> begins{0};
    for (const std::string& one : functions) begins.push_back(begins.back() + one.size());
    std::string text;
    for (const std::string& one : functions) text += one;
    for (std::size_t f = 0; f < kFunctions; ++f)
      for (std::size_t call = 0; call < 20; ++call) {
        const std::size_t at = begins[f + 1] - 20 * (call + 1);
        const auto distance = static_cast<std::uint32_t>(begins[random() % kFunctions] - (at + 5));
        text[at] = '\xe8';
        for (std::size_t i = 0; i < 4; ++i) text[at + 1 + i] = static_cast<char>(distance >> 8 * i);
      }
    return text;
  }
};

TEST(ProgramDifference, MakesWhateverItWasMadeFor) {
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    std::string before(random() % 3000, 'x');
    for (char& c : before) c = static_cast<char>(random() % 5 == 0 ? 0xe8 : random());
    std::string fresh = before;
    for (int change = 0; change < 5 && !fresh.empty(); ++change) {
      const std::size_t at = random() % fresh.size();
      if (random() % 2 == 0) fresh.insert(at, std::string(random() % 50, 'i'));
      else fresh.erase(at, random() % 50);
    }
    if (round % 7 == 0) fresh.clear();
    const std::string old = "head" + before + "tail";
    for (const bool relocated : {false, true}) {
      Script script;
      script.append("first");
      std::uint64_t place = 0;
      const ProgramDifference difference(old, 4, before.size(), fresh);
      script.append(difference.script(place, script.made(), relocated));
      script.append(difference.script(place, script.made(), relocated));
      ASSERT_EQ(made_of(script, old), "first" + fresh + fresh) << round;
    }
  }
}

TEST(ProgramDifference, ExpectsAddressesThatMoved) {
  const std::string before = Program::of(0), fresh = Program::of(32);
  const ProgramDifference difference(before, 0, before.size(), fresh);
  const auto told = [&](bool relocated) {
    std::uint64_t place = 0;
    const Script script = difference.script(place, 0, relocated);
    EXPECT_EQ(made_of(script, before), fresh);
    return static_cast<long>(script.differences.size()) - std::ranges::count(script.differences, '\0');
  };
  const long plain = told(false), relocated = told(true);
  EXPECT_GT(plain, 200);
  EXPECT_LT(relocated, plain / 10);
}

}  // namespace
}  // namespace berth::patch
