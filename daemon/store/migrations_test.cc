#include "daemon/store/migrations.h"

#include <gtest/gtest.h>

#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

constexpr Migration kFirst{1, "0001_first.sql", "CREATE TABLE things (name TEXT) STRICT; INSERT INTO things VALUES ('one');"};
constexpr Migration kSecond{2, "0002_second.sql", "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"};
constexpr Migration kBroken{2, "0002_broken.sql", "CREATE TABLE other (x TEXT) STRICT; INSERT INTO nowhere VALUES (1);"};
constexpr Migration kOld[] = {kFirst};
constexpr Migration kNew[] = {kFirst, kSecond};
constexpr Migration kBad[] = {kFirst, kBroken};

class MigrationsTest : public testing::Test {
 protected:
  std::int64_t number(const std::string& sql) { return must(database.number(sql)); }

  files::TemporaryDirectory folder;
  fs::path path = folder.path() / "test.db";
  Database database = must(Database::open(path));
};

TEST_F(MigrationsTest, AnEmptyDatabaseGetsEveryStepAndNoBackup) {
  ASSERT_TRUE(migrate(database, path, kNew));
  EXPECT_EQ(number("PRAGMA user_version"), 2);
  EXPECT_EQ(number("SELECT size FROM things"), 7);
  EXPECT_FALSE(fs::exists(path.string() + ".v0.backup"));
  EXPECT_TRUE(migrate(database, path, kNew)) << "again is fine";
}

TEST_F(MigrationsTest, AnOlderDatabaseIsBackedUpAndBroughtForward) {
  ASSERT_TRUE(migrate(database, path, kOld));
  ASSERT_TRUE(database.execute("INSERT INTO things VALUES ('two')"));
  ASSERT_TRUE(migrate(database, path, kNew));
  EXPECT_EQ(number("SELECT count(*) FROM things WHERE size = 7"), 2);
  Database backup = must(Database::open(path.string() + ".v1.backup"));
  EXPECT_EQ(must(backup.number("PRAGMA user_version")), 1);
  EXPECT_EQ(must(backup.number("SELECT count(*) FROM things")), 2);
  EXPECT_EQ(fs::status(path.string() + ".v1.backup").permissions(), fs::perms(0600)) << "as the database itself";
}

TEST_F(MigrationsTest, AStepThatFailsChangesNothing) {
  ASSERT_TRUE(migrate(database, path, kOld));
  const auto failed = migrate(database, path, kBad);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("0002_broken.sql"), std::string::npos);
  EXPECT_EQ(number("PRAGMA user_version"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema WHERE name = 'other'"), 0);
}

TEST_F(MigrationsTest, ANewerDatabaseIsRefusedWithWhatToDo) {
  ASSERT_TRUE(migrate(database, path, kNew));
  const auto refused = migrate(database, path, kOld);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_NE(refused.error().message.find("has schema 2"), std::string::npos);
  EXPECT_NE(refused.error().message.find("test.db.v1.backup"), std::string::npos);
}

TEST_F(MigrationsTest, IsTriedOnACopyWhileTheDatabaseIsUsed) {
  EXPECT_EQ(must(try_to_migrate(folder.path() / "none.db", kNew)), 0);
  EXPECT_FALSE(fs::exists(folder.path() / "none.db"));
  ASSERT_TRUE(migrate(database, path, kOld));
  EXPECT_EQ(must(try_to_migrate(path, kOld)), 1);
  EXPECT_EQ(must(try_to_migrate(path, kNew)), 1);
  const auto failed = try_to_migrate(path, kBad);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("0002_broken.sql"), std::string::npos);
  EXPECT_EQ(number("PRAGMA user_version"), 1);
  ASSERT_TRUE(migrate(database, path, kNew));
  const auto refused = try_to_migrate(path, kOld);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("has schema 2"), std::string::npos);
  for (const auto& entry : fs::directory_iterator(folder.path())) EXPECT_EQ(entry.path().string().find(".trial"), std::string::npos) << entry.path();
}

TEST_F(MigrationsTest, AnotherProgramsDatabaseIsLeftAlone) {
  ASSERT_TRUE(database.execute("CREATE TABLE theirs (x TEXT)"));
  const auto refused = migrate(database, path, kNew);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema"), 1);
}

TEST(Migrations, AreNumberedWithoutAGap) {
  int expected = 1;
  for (const Migration& step : migrations()) {
    EXPECT_EQ(step.number, expected++);
    EXPECT_FALSE(step.sql.empty());
  }
  EXPECT_GT(expected, 1);
}

}  // namespace
}  // namespace berth::store
