#include "daemon/unpack/job.h"

#include <gtest/gtest.h>

namespace berth::unpack {
namespace {

TEST(Job, IsReadAsItWasWritten) {
  const Job whole{.frames = {{0, 100, 16u << 20}, {100, 7, 512}}};
  const Job first{.frames = {{0, 100, 16u << 20}}, .pour = true, .drop = 0, .take = 1024, .gaps = {{512, 512}, {1536, 3}}};
  const Job last{.frames = {{100, 7, 512}}, .pour = true, .drop = 512, .take = 0};
  const Job patched{.frames = {}, .patch = PatchFrame{.offset = 100, .size = 7, .base = 1024, .content = 33, .made = 2048}};
  for (const Job& job : {whole, first, last, patched}) {
    const auto read = parse_job(to_text(job));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, job);
  }
}

TEST(Job, IsRefusedWhereItIsCutOffGoesOnOrMeansNothing) {
  EXPECT_FALSE(parse_job(""));
  EXPECT_FALSE(parse_job("frame 0 1 2\n"));
  EXPECT_FALSE(parse_job("frame 0 1 2\nend"));
  EXPECT_FALSE(parse_job("end\nframe 0 1 2\n"));
  EXPECT_FALSE(parse_job("frame 0 1\nend\n"));
  EXPECT_FALSE(parse_job("frame 0 1 2 3\nend\n"));
  EXPECT_FALSE(parse_job("frame 0 -1 2\nend\n"));
  EXPECT_FALSE(parse_job("share 1\nend\n"));
  EXPECT_FALSE(parse_job("share 1 2 3\nend\n"));
  EXPECT_FALSE(parse_job("pour\npour\nend\n"));
  EXPECT_FALSE(parse_job("pour 1\nend\n"));
  EXPECT_FALSE(parse_job("gap 1\nend\n"));
  EXPECT_FALSE(parse_job("gap 1 2 3\nend\n"));
  EXPECT_FALSE(parse_job("patch 0 1 2 3\nend\n"));
  EXPECT_FALSE(parse_job("patch 0 1 2 3 4\npatch 0 1 2 3 4\nend\n"));
  EXPECT_FALSE(parse_job("walk /etc\nend\n"));
}

}  // namespace
}  // namespace berth::unpack
