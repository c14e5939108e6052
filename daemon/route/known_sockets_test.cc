#include "daemon/route/known_sockets.h"

#include <fstream>

#include <gtest/gtest.h>

#include "core/files/files.h"

namespace berth::route {
namespace {

class KnownSocketsTest : public testing::Test {
 protected:
  files::TemporaryDirectory folder;
  std::filesystem::path file = folder.path() / "route" / "sockets";
};

TEST_F(KnownSocketsTest, AreThereAfterARestart) {
  {
    KnownSockets known(file);
    ASSERT_TRUE(known.add(18446744073709551615u, 8080));
    ASSERT_TRUE(known.add(7, 8080));
    ASSERT_TRUE(known.add(9, 8081));
    ASSERT_TRUE(known.serve(8080, {7}));
    ASSERT_TRUE(known.remove(9));
  }
  const KnownSockets known(file);
  EXPECT_TRUE(known.contains(18446744073709551615u));
  EXPECT_FALSE(known.serves(18446744073709551615u));
  EXPECT_TRUE(known.serves(7));
  EXPECT_FALSE(known.contains(9));
}

TEST_F(KnownSocketsTest, SwitchWhoServesOfOnePortOnly) {
  KnownSockets known(file);
  ASSERT_TRUE(known.add(1, 8080));
  ASSERT_TRUE(known.add(2, 8080));
  ASSERT_TRUE(known.add(3, 8081));
  ASSERT_TRUE(known.serve(8080, {1}));
  ASSERT_TRUE(known.serve(8081, {3}));
  ASSERT_TRUE(known.serve(8080, {2}));
  EXPECT_FALSE(known.serves(1));
  EXPECT_TRUE(known.serves(2));
  EXPECT_TRUE(known.serves(3));
  ASSERT_TRUE(known.keep_only({3}));
  EXPECT_FALSE(known.contains(2));
  EXPECT_TRUE(known.contains(3));
}

TEST_F(KnownSocketsTest, PassOverWhatIsMalformed) {
  const auto sockets = parse_known_sockets(
      "1 8080 serving\n\nnonsense\n2 80800 waiting\n3 8080 perhaps\n-4 8080 waiting\n5 81 waiting 6\n7 82 waiting");
  EXPECT_EQ(sockets, (std::map<std::uint64_t, KnownSocket>{{1, {8080, true}}, {7, {82, false}}}));
}

TEST_F(KnownSocketsTest, SayWhenTheyCannotBeWritten) {
  std::ofstream(folder.path() / "route") << "a file where a folder should be";
  KnownSockets known(file);
  EXPECT_FALSE(known.add(1, 8080));
  EXPECT_FALSE(known.contains(1)) << "what is not on disk is not known";
}

}  // namespace
}  // namespace berth::route
