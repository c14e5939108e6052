#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/store/database.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using OpenTest = StoreTest;

TEST_F(OpenTest, ASecondBerthdIsKeptOutAndToldWhoIsThere) {
  open();
  const auto second = Store::open(paths);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos) << second.error().message;
  store.reset();
  open();
}

TEST_F(OpenTest, WhatWasDoneStandsAfterAProcessIsKilledWithoutClosing) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto opened = Store::open(paths);
    if (!opened || !(*opened)->ensure_app("web") || !(*opened)->add_event(event("test.event", "web")) || !(*opened)->make_staging(7)) ::_exit(1);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  open();
  EXPECT_TRUE(must(store->app("web")));
  EXPECT_EQ(store->last_event(), 1);
  EXPECT_FALSE(fs::exists(paths.staging() / "7"));
}

TEST_F(OpenTest, ASlotWithoutARowIsRemovedAndCurrentIsPointedAtTheActiveOne) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  activate("web", "v2");
  store.reset();
  fs::create_directories(paths.slot("web", "v3") / "app");
  fs::create_directories(paths.slot("gone", "v1") / "app");
  fs::remove(paths.current("web"));
  fs::create_symlink("slots/v1", paths.current("web"));
  open();
  EXPECT_FALSE(fs::exists(paths.slot("web", "v3")));
  EXPECT_FALSE(fs::exists(paths.slot("gone", "v1")));
  EXPECT_TRUE(fs::exists(paths.slot("web", "v1")));
  EXPECT_EQ(current("web"), "slots/v2");
}

TEST_F(OpenTest, APurgeThatACrashCutShortIsFinished) {
  open();
  must(store->ensure_app("web"));
  store.reset();
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute("DELETE FROM apps; INSERT INTO purges VALUES ('web')"));
  }
  open();
  EXPECT_FALSE(fs::exists(paths.app("web")));
}

TEST_F(OpenTest, ADatabaseOfANewerBerthdIsRefused) {
  open();
  store.reset();
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute("PRAGMA user_version = 999"));
  }
  const auto refused = Store::open(paths);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_NE(refused.error().message.find("999"), std::string::npos);
}

TEST_F(OpenTest, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
  fs::create_directories(paths.state);
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute("CREATE TABLE theirs (x TEXT)"));
  }
  const auto refused = Store::open(paths);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_NE(refused.error().message.find("another program's"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(fs::exists(paths.database()));
}

TEST_F(OpenTest, RoomIsKeptForWhatAnOperatorDoesOnAFullDisk) {
  open();
  const auto beyond = [](const fs::path& file) {
    struct stat about{};
    EXPECT_EQ(::stat(file.c_str(), &about), 0);
    return static_cast<std::int64_t>(about.st_blocks) * 512 - about.st_size;
  };
  EXPECT_GE(beyond(paths.database()), 200 << 10);
  EXPECT_GE(beyond(paths.database().string() + "-wal"), 200 << 10);
  EXPECT_GE(beyond(paths.events()), 100 << 10);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(store->add_event(event("test.event", "web", {{"text", std::string(100, 'x')}})));
  EXPECT_GE(beyond(paths.events()), 50 << 10) << "it is given again as the log grows";
  EXPECT_LE(fs::file_size(paths.database().string() + "-wal"), 1'179'648u) << "within what is kept for it";
}

TEST_F(OpenTest, ADatabaseThatFindsNoRoomSaysWhereHowMuchAndWhatFreesSome) {
  Database database = must(Database::open(folder.path() / "small.db"));
  ASSERT_TRUE(database.execute("CREATE TABLE texts (text TEXT); PRAGMA max_page_count = 3"));
  const auto full = database.run("INSERT INTO texts (text) VALUES (?)", std::string(100'000, 'x'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Errc::no_space);
  for (const std::string& words : {"small.db: database or disk is full: the disk of " + folder.path().string() + " has ", std::string(" KiB left, and 1 MiB is needed: 'berth gc' removes")})
    EXPECT_NE(full.error().message.find(words), std::string::npos) << full.error().message;
}

}  // namespace
}  // namespace berth::store
