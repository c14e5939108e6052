#include "daemon/ship/cursors.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::ship {
namespace {

Cursors example() {
  Cursors cursors;
  cursors.event = 77;
  cursors.instances["web/web.1"] = {.place = {.segment = 101, .offset = 4096, .sequence = 120, .mark = 18446744073709551615u}, .line = 125,
                                    .time = logs::parse_rfc3339("2026-11-24T09:00:00.123456789Z").value()};
  cursors.instances["api/worker.12"] = {};
  return cursors;
}

/// With a right checksum, whatever is in it.
std::string summed(const std::string& text) { return text + "sha256 " + crypto::sha256_hex(text) + "\n"; }

TEST(CursorsText, ReadsWhatItWrote) {
  const auto read = parse_cursors(to_text(example()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, example());
  EXPECT_EQ(*parse_cursors(to_text({})), Cursors{});
}

TEST(CursorsText, IsAsItsFormatSays) {
  EXPECT_EQ(to_text(example()), summed("berth-cursors 1\nevent 77\napi/worker.12 0 0 0 0 0 0\n"
                                       "web/web.1 101 4096 120 18446744073709551615 125 1795510800123456789\n"));
}

TEST(CursorsText, RefusesWhatItDidNotWrite) {
  for (const std::string& text : {std::string(), std::string("berth-cursors 1\nevent 7\n"), to_text(example()) + "x", to_text(example()).substr(1),
                                  summed("berth-cursors 2\nevent 7\n"), summed("berth-cursors 1\nevent -7\n"), summed("berth-cursors 1\nevent x\n"), summed("berth-cursors 1\n"),
                                  summed("berth-cursors 1\nevent 7\nweb/web.1 1 2 3 4 5\n"), summed("berth-cursors 1\nevent 7\nweb/web.1 1 2 3 4 5 6 7\n"),
                                  summed("berth-cursors 1\nevent 7\nweb/web.1 1 2 3 4 -5 6\n"), summed("berth-cursors 1\nevent 7\n../x 1 2 3 4 5 6\n"),
                                  summed("berth-cursors 1\nevent 7\nweb/web.1 1 2 3 4 5 6\nweb/web.1 1 2 3 4 5 6\n"), summed("berth-cursors 1\nevent 7\n\n")}) {
    const auto read = parse_cursors(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::protocol);
  }
}

TEST(CursorFile, IsNewKeptAndDamaged) {
  const files::TemporaryDirectory folder;
  const CursorFile file(folder.path(), "loki");
  EXPECT_FALSE(file.load().value().has_value());
  ASSERT_TRUE(file.store(example()));
  EXPECT_EQ(file.load().value(), example());
  std::ofstream(file.path(), std::ios::app) << " ";
  EXPECT_EQ(file.load().error().code, Errc::protocol);
  ASSERT_TRUE(file.store(example()));
  EXPECT_EQ(file.load().value(), example());
}

TEST(CursorFile, WhatACrashLeftOfItIsRemoved) {
  const files::TemporaryDirectory folder;
  const CursorFile file(folder.path(), "loki");
  ASSERT_TRUE(file.store(example()));
  std::ofstream(folder.path() / ".loki.cursors.77-3") << "half";
  remove_left_temporaries(folder.path());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_TRUE(file.load().value().has_value());
}

}  // namespace
}  // namespace berth::ship
