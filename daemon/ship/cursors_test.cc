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
  cursors.rules = 18446744073709551615u;
  cursors.apps = {"api", "web"};
  cursors.instances["web/web.1"] = {.place = {.segment = 101, .offset = 4096, .sequence = 120, .mark = 18446744073709551615u}, .line = 125,
                                    .time = logs::parse_rfc3339("2026-11-24T09:00:00.123456789Z").value()};
  cursors.instances["api/worker.12"] = {};
  cursors.instances["api/worker.13"] = {.told = {.first = 5, .last = 12}};
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
  EXPECT_EQ(to_text(example()), summed("berth-cursors 1\nevent 77\nrules 18446744073709551615\napps api web\napi/worker.12 0 0 0 0 0 0\napi/worker.13 0 0 0 0 0 0 5 12\n"
                                       "web/web.1 101 4096 120 18446744073709551615 125 1795510800123456789\n"));
}

TEST(TakeBack, WhatIsPastIsTakenBackAndTheRestStays) {
  const files::TemporaryDirectory folder;
  const auto file = [&](const char* kind, const char* name) { return CursorFile(folder.path() / kind, name); };
  ASSERT_TRUE(take_back(folder.path(), 50)) << "there are none yet";
  for (const char* kind : {kSinkCursors, kWebhookCursors}) {
    std::filesystem::create_directories(folder.path() / kind);
    ASSERT_TRUE(file(kind, "ahead").store(example()));
    Cursors behind = example();
    behind.event = 49;
    ASSERT_TRUE(file(kind, "behind").store(behind));
    ASSERT_TRUE(files::replace(file(kind, "damaged").path(), "nonsense"));
  }
  ASSERT_TRUE(take_back(folder.path(), 50));
  for (const char* kind : {kSinkCursors, kWebhookCursors}) {
    Cursors expected = example();
    expected.event = 50;
    EXPECT_EQ(file(kind, "ahead").load()->value(), expected);
    EXPECT_EQ(file(kind, "behind").load()->value().event, 49);
    EXPECT_EQ(files::read(file(kind, "damaged").path(), 100).value(), "nonsense");
  }
}

TEST(CursorsText, WhatWasToldOfALossIsAddedToAndReplaced) {
  ToldLoss told;
  EXPECT_EQ(told.of(1, 100), 0u);
  told.add(5, 12);
  EXPECT_EQ(told.of(1, 100), 8u);
  EXPECT_EQ(told.of(10, 20), 3u);
  told.add(13, 15);
  told.add(2, 6);
  EXPECT_EQ(told, (ToldLoss{.first = 2, .last = 15}));
  told.add(20, 21);
  EXPECT_EQ(told, (ToldLoss{.first = 20, .last = 21}));
}

TEST(CursorsText, AllAppsAreAStar) {
  EXPECT_EQ(to_text({}), summed("berth-cursors 1\nevent 0\nrules 0\napps *\n"));
  const auto read = parse_cursors(to_text({}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->apps.empty());
}

TEST(CursorsText, RefusesWhatItDidNotWrite) {
  const std::string head = "berth-cursors 1\nevent 7\nrules 1\napps *\n";
  ASSERT_TRUE(parse_cursors(summed(head)));
  for (const std::string& text : {std::string(), std::string("berth-cursors 1\nevent 7\n"), to_text(example()) + "x", to_text(example()).substr(1),
                                  summed("berth-cursors 2\nevent 7\nrules 1\napps *\n"), summed("berth-cursors 1\nevent -7\nrules 1\napps *\n"),
                                  summed("berth-cursors 1\nevent x\nrules 1\napps *\n"), summed("berth-cursors 1\n"),
                                  summed("berth-cursors 1\nevent 7\n"), summed("berth-cursors 1\nevent 7\nrules 1\n"), summed("berth-cursors 1\nevent 7\nrules -1\napps *\n"),
                                  summed("berth-cursors 1\nevent 7\nrules 1 2\napps *\n"), summed("berth-cursors 1\nevent 7\nrules 1\napps\n"),
                                  summed("berth-cursors 1\nevent 7\nrules 1\napps \n"), summed("berth-cursors 1\nevent 7\nrules 1\napps web \n"),
                                  summed("berth-cursors 1\nevent 7\nrules 1\napps web  api\n"), summed("berth-cursors 1\nevent 7\nrules 1\napps * web\n"),
                                  summed(head + "web/web.1 1 2 3 4 5\n"), summed(head + "web/web.1 1 2 3 4 5 6 7\n"), summed(head + "web/web.1 1 2 3 4 5 6 8 7\n"),
                                  summed(head + "web/web.1 1 2 3 4 5 6 0 7\n"), summed(head + "web/web.1 1 2 3 4 5 6 7 8 9\n"),
                                  summed(head + "web/web.1 1 2 3 4 -5 6\n"), summed(head + "../x 1 2 3 4 5 6\n"),
                                  summed(head + "web/web.1 1 2 3 4 5 6\nweb/web.1 1 2 3 4 5 6\n"), summed(head + "\n")}) {
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
  files::remove_left_temporaries(folder.path());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_TRUE(file.load().value().has_value());
}

}  // namespace
}  // namespace berth::ship
