#include "daemon/store/backup.h"

#include <cstdlib>
#include <future>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "daemon/store/database.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BackupTest : public StoreTest {
 protected:
  void SetUp() override {
    open();
    must(store->ensure_app("web"));
    for (const char* release : {"v1", "v2"}) {
      DeploymentRow row = activate("web", release);
      row.state = "active";
      row.ended_at = now_text();
      ASSERT_TRUE(store->update_deployment(row, {event("deployment.state", "web")}));
    }
    ASSERT_TRUE(store->set_held("web", {.why = "an audit", .by = "ann", .at = "t", .firm = true}, event("operator.hold", "web")));
  }

  fs::path file(const char* name = "backup.tar") const { return folder.path() / name; }
  Backup back_up(const char* name = "backup.tar") { return must(write_backup(paths.state, file(name), "edge-1")); }
  Errc code_of(const fs::path& what, bool force = false) {
    const auto refused = restore_backup(what, paths.state, force, "ann");
    return refused ? Errc::internal : refused.error().code;
  }
  /// Runs tar and the like in the test's folder.
  void shell(const std::string& command) { ASSERT_EQ(std::system(fmt::format("cd {} && {}", folder.path().string(), command).c_str()), 0) << command; }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder.path())) found.push_back(entry.path().filename().string());
    return found;
  }
};

TEST_F(BackupTest, IsATarOfOneMomentThatRootAloneMayRead) {
  const Backup made = back_up();
  EXPECT_EQ(made.node, "edge-1");
  EXPECT_EQ(made.last_event, store->last_event());
  struct stat entry{};
  ASSERT_EQ(::stat(file().c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 07777, 0600u);
  ASSERT_TRUE(store->add_event(event("test.later", "web")));
  shell("tar -xf backup.tar");
  const fs::path inside = folder.path() / "berth-backup";
  EXPECT_THAT(must(verify_events(inside / "events.log", inside / "berth.db")), IsEmpty());
  EXPECT_THAT(must(files::read(inside / "events.log", 1u << 20)), testing::Not(HasSubstr("test.later")));
  EXPECT_EQ(must(damage_of(inside / "berth.db")), "");
  EXPECT_FALSE(fs::exists(inside / "berth.db-wal"));
  EXPECT_THAT(names(), testing::UnorderedElementsAre("state", "backup.tar", "berth-backup")) << "nothing else is left";
}

TEST_F(BackupTest, DoesNotWriteOverAFileAndTellsWhatIsMissing) {
  back_up();
  EXPECT_EQ(write_backup(paths.state, file(), "").error().code, Errc::exists);
  EXPECT_EQ(write_backup(folder.path() / "none", file("other.tar"), "").error().code, Errc::not_found);
  store.reset();
  std::ofstream(paths.database(), std::ios::trunc) << std::string(20'000, 'x');
  const auto refused = write_backup(paths.state, file("other.tar"), "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::io);
  EXPECT_FALSE(fs::exists(file("other.tar")));
}

TEST_F(BackupTest, OfTwoAtOnceIntoOneFileOneIsMade) {
  for (int i = 0; i < 8; ++i) {
    const std::string same = fmt::format("same-{}.tar", i), own = fmt::format("own-{}.tar", i);
    std::vector<std::future<Result<Backup>>> begun;
    for (const std::string& name : {same, same, own}) begun.push_back(std::async(std::launch::async, [this, name] { return write_backup(paths.state, file(name.c_str()), ""); }));
    std::vector<Result<Backup>> ended;
    for (auto& one : begun) ended.push_back(one.get());
    ASSERT_NE(ended[0].has_value(), ended[1].has_value());
    EXPECT_EQ((ended[0] ? ended[1] : ended[0]).error().code, Errc::exists);
    EXPECT_TRUE(ended[2]) << ended[2].error().message;
    EXPECT_TRUE(fs::exists(file(same.c_str())));
  }
}

TEST_F(BackupTest, WhatSeveralRestoresInASecondSetAsideIsAllKept) {
  back_up();
  store.reset();
  std::set<fs::path> kept;
  for (int i = 0; i < 5; ++i) {
    const Restored restored = must(restore_backup(file(), paths.state, true, "ann"));
    ASSERT_EQ(restored.set_aside.size(), 2u);
    for (const fs::path& path : restored.set_aside) EXPECT_TRUE(kept.insert(path).second) << path << " was there already";
  }
  EXPECT_EQ(kept.size(), 10u);
  for (const fs::path& path : kept) EXPECT_TRUE(fs::exists(path)) << path;
}

TEST_F(BackupTest, ComesBackOnTheSameNode) {
  const auto events = back_up().last_event;
  ASSERT_TRUE(store->set_held("web", {}, event("operator.resume", "web")));
  EXPECT_EQ(code_of(file(), true), Errc::conflict) << "a berthd has it";
  store.reset();
  EXPECT_EQ(code_of(file()), Errc::exists);
  Restored restored = must(restore_backup(file(), paths.state, true, "ann (uid 7)"));
  EXPECT_THAT(restored.notes, IsEmpty());
  ASSERT_EQ(restored.set_aside.size(), 2u);
  for (const fs::path& path : restored.set_aside) EXPECT_TRUE(fs::exists(path)) << path;
  EXPECT_EQ(code_of(file(), true), Errc::conflict) << "who restores is not done yet";
  restored.lock = Fd();
  open();
  EXPECT_EQ(store->rebuilt(), nullptr);
  EXPECT_EQ(store->event_trouble(), "");
  EXPECT_EQ(must(store->app("web"))->held.why, "an audit");
  EXPECT_EQ(must(store->app("web"))->active, "v2");
  EXPECT_EQ(current("web"), "slots/v2");
  EXPECT_EQ(store->last_event(), events + 1);
  const Event told = must(store->events(store->last_event(), 1)).at(0);
  EXPECT_EQ(told.kind, "operator.restore");
  EXPECT_EQ(told.data.at("by"), "ann (uid 7)");
  EXPECT_EQ(told.at.size(), now_text().size());
  EXPECT_THAT(must(verify_events(paths.events(), paths.database())), IsEmpty());
  EXPECT_FALSE(fs::exists(paths.state / "restore.partial"));
}

TEST_F(BackupTest, OnAnotherDiskReleasesAreNotActiveUntilTheyAreThere) {
  deploy("web", "v3");
  back_up();
  store.reset();
  fs::remove_all(paths.state);
  Restored restored = must(restore_backup(file(), paths.state, false, "ann"));
  EXPECT_THAT(restored.notes, ElementsAre(HasSubstr("web@v2 was active and is not on this disk"), HasSubstr("deployment 3 of web@v3 was under way")));
  EXPECT_THAT(restored.set_aside, IsEmpty());
  restored.lock = Fd();
  open();
  EXPECT_EQ(store->rebuilt(), nullptr);
  const AppRow app = *must(store->app("web"));
  EXPECT_EQ(app.active, "");
  EXPECT_EQ(app.previous, "");
  EXPECT_EQ(app.held.why, "an audit");
  EXPECT_THAT(must(store->slots("web")), IsEmpty());
  EXPECT_THAT(must(store->unfinished_deployments()), IsEmpty());
  EXPECT_EQ(must(store->deployments("web", 10)).size(), 3u);
  activate("web", "v2");
  EXPECT_EQ(must(store->app("web"))->active, "v2");
}

TEST_F(BackupTest, MayBeCompressed) {
  back_up();
  store.reset();
  shell("gzip -k backup.tar");
  fs::remove_all(paths.state);
  EXPECT_TRUE(restore_backup(file("backup.tar.gz"), paths.state, false, "ann"));
}

TEST_F(BackupTest, WhatIsNoneOrWasChangedIsRefusedAndNothingIsTouched) {
  back_up();
  store.reset();
  const std::string before = must(files::read(paths.database(), 1u << 24));
  shell("tar -xf backup.tar && echo more >> berth-backup/events.log && tar -cf changed.tar berth-backup");
  shell("rm berth-backup/events.log && tar -cf short.tar berth-backup && ln -s /etc/passwd berth-backup/events.log && tar -cf link.tar berth-backup");
  shell("rm berth-backup/events.log && touch berth-backup/events.log berth-backup/more && tar -cf more.tar berth-backup");
  shell("echo hello > text.tar && head -c 3000 backup.tar > cut.tar");
  EXPECT_EQ(code_of(file("changed.tar"), true), Errc::trust);
  for (const char* none : {"short.tar", "link.tar", "more.tar", "text.tar", "cut.tar"}) EXPECT_EQ(code_of(file(none), true), Errc::usage) << none;
  EXPECT_EQ(code_of(file("none.tar"), true), Errc::not_found);
  EXPECT_EQ(must(files::read(paths.database(), 1u << 24)), before);
  EXPECT_FALSE(fs::exists(paths.state / "restore.partial"));
  open();
}

TEST_F(BackupTest, OneOfANewerBerthIsRefusedWithWhatToDo) {
  store.reset();
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute("PRAGMA user_version = 999"));
  }
  back_up();
  const auto refused = restore_backup(file(), paths.state, true, "ann");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_THAT(refused.error().message, HasSubstr("has schema 999"));
}

}  // namespace
}  // namespace berth::store
