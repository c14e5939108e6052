#include "daemon/unpack/job.h"

#include <gtest/gtest.h>

namespace berth::unpack {
namespace {

TEST(Job, IsReadAsItWasWritten) {
  const Job job{.frames = {{0, 100, 16u << 20}, {100, 7, 512}}, .skip = {"a b", "bin/ü", "end"}};
  const auto read = parse_job(to_text(job));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, job);
}

TEST(Job, IsRefusedWhereItIsCutOffGoesOnOrMeansNothing) {
  EXPECT_FALSE(parse_job(""));
  EXPECT_FALSE(parse_job("frame 0 1 2\n"));
  EXPECT_FALSE(parse_job("frame 0 1 2\nend"));
  EXPECT_FALSE(parse_job("end\nframe 0 1 2\n"));
  EXPECT_FALSE(parse_job("frame 0 1\nend\n"));
  EXPECT_FALSE(parse_job("frame 0 1 2 3\nend\n"));
  EXPECT_FALSE(parse_job("frame 0 -1 2\nend\n"));
  EXPECT_FALSE(parse_job("walk /etc\nend\n"));
}

}  // namespace
}  // namespace berth::unpack
