#include <fcntl.h>
#include <fmt/core.h>

#include "daemon/deploy/config_files.h"
#include "daemon/deploy/plan_fixture.h"

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Makes real folders, owned by others: as root.
class InstanceFoldersTest : public PlanFixture {
 protected:
  Result<void> prepare() { return prepare_folders(node, manifest, id, who, environment(secrets), secrets); }
  fs::path config() const { return folders_of(node, id).config; }

  const RunAs who{.uid = 61184, .gid = 61185};
  std::map<std::string, std::string> secrets;
};

TEST_F(InstanceFoldersTest, AreTheAppsOwnAndClosedToOthers) {
  put("config/site/robots.txt", "all");
  put("config/hook", "#!/bin/sh\n", 0755);
  fs::create_symlink("site/robots.txt", slot() / "config/link");
  secrets = {{"PASSWORD", "hunter2"}};
  const auto prepared = prepare();
  ASSERT_TRUE(prepared) << prepared.error().message;

  const auto folders = folders_of(node, id);
  struct Row {
    fs::path path;
    mode_t mode;
    uid_t uid;
  };
  for (const auto& [path, mode, uid] : {Row{folders.base, 0710, 0}, Row{folders.config, 0500, who.uid}, Row{folders.run, 0700, who.uid},
                                        Row{folders.tmp, 0700, who.uid}, Row{config() / "site", 0500, who.uid},
                                        Row{config() / "site/robots.txt", 0400, who.uid}, Row{config() / "hook", 0500, who.uid},
                                        Row{folders.secrets, 0500, who.uid}, Row{fs::path(folders.secrets) / "PASSWORD", 0400, who.uid}}) {
    EXPECT_EQ(status(path).st_mode & 07777u, mode) << path;
    EXPECT_EQ(status(path).st_uid, uid) << path;
    EXPECT_EQ(status(path).st_gid, who.gid) << path;
  }
  EXPECT_EQ(fs::read_symlink(config() / "link"), "site/robots.txt");
  EXPECT_EQ(status(config() / "link").st_uid, who.uid);
  EXPECT_EQ(content(fs::path(folders.secrets) / "PASSWORD"), "hunter2");
}

TEST_F(InstanceFoldersTest, TemplatesAreRenderedAndOtherFilesAreNot) {
  put("config/nginx.conf.tmpl", "listen ${PORT}; set $$x $uri; # ${node.name} ${node.labels.rack} ${secret:PASSWORD} ${GREETING}");
  put("config/verbatim.conf", "${PORT} $$");
  manifest.variables = {{"GREETING", "${PORT} stays"}};
  secrets = {{"PASSWORD", "hunter2"}};
  const auto prepared = prepare();
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(content(config() / "nginx.conf"), "listen 20001; set $x $uri; # edge-1 r7 hunter2 ${PORT} stays");
  EXPECT_EQ(content(config() / "verbatim.conf"), "${PORT} $$");
  EXPECT_FALSE(fs::exists(config() / "nginx.conf.tmpl"));
}

TEST_F(InstanceFoldersTest, AnUnknownNameIsToldWithItsFileAndNothingHalfDoneStays) {
  put("config/a.conf.tmpl", "${secret:PASSWORD}");
  secrets = {{"PASSWORD", "hunter2"}};
  ASSERT_TRUE(prepare());
  put("config/sub/b.conf.tmpl", "${PROT}");
  const auto refused = error_of(prepare());
  EXPECT_EQ(refused.code, Errc::usage);
  EXPECT_THAT(refused.message, AllOf(HasSubstr("web@v1"), HasSubstr("config/sub/b.conf.tmpl"), HasSubstr("PROT"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(content(config() / "a.conf"), "hunter2") << "what was there stays";
  EXPECT_FALSE(fs::exists(config().parent_path() / "config.new"));
}

TEST_F(InstanceFoldersTest, WhatTemplatesNameOfTheNodeIsKnownBeforeAnyIsRendered) {
  manifest.variables = {{"GREETING", "hello"}};
  manifest.spec.processes["worker"].command = {"bin/server"};
  put("config/a.conf.tmpl", "${PORT} ${node.name} ${node.labels.rack} ${secret:PASSWORD} ${GREETING} ${BERTH_RUN_DIR}");
  put("config/verbatim", "${node.labels.none}");
  put("config/sub/b.conf.tmpl", "fine");
  fs::create_symlink("../verbatim", slot() / "config/sub/link.tmpl");
  const std::map<std::string, std::string> given = {{"PASSWORD", "hunter2"}};
  const auto templates = read_templates(slot() / "config");
  ASSERT_TRUE(templates) << templates.error().message;
  EXPECT_THAT(*templates, testing::ElementsAre(testing::Key("a.conf.tmpl"), testing::Key("sub/b.conf.tmpl")));
  const auto right = check_templates(node, manifest, *templates, given);
  EXPECT_TRUE(right) << right.error().message;

  for (const std::string name : {"node.labels.zone", "secret:TOKEN", "OTHER"}) {
    const auto refused = error_of(check_templates(node, manifest, {{"sub/b.conf.tmpl", "${" + name + "}"}}, given));
    EXPECT_EQ(refused.code, Errc::usage);
    EXPECT_THAT(refused.message, testing::StartsWith("web@v1: config/sub/b.conf.tmpl: nothing is known as '${" + name + "}'"));
  }
  EXPECT_TRUE(read_templates(slot() / "none")->empty());
}

TEST_F(InstanceFoldersTest, AFileThatIsThereTwiceIsRefused) {
  put("config/a.conf.tmpl", "x");
  put("config/a.conf", "y");
  EXPECT_THAT(error_of(prepare()).message, HasSubstr("config/a.conf is there twice"));
}

TEST_F(InstanceFoldersTest, PreparingAgainReplacesTheConfigurationAndKeepsWhatTheAppWrote) {
  put("config/a.conf.tmpl", "${secret:PASSWORD}");
  secrets = {{"PASSWORD", "first"}};
  ASSERT_TRUE(prepare());
  std::ofstream(fs::path(folders_of(node, id).run) / "server.pid") << 42;
  std::ifstream open_before(config() / "a.conf");
  secrets = {{"PASSWORD", "second"}};
  ASSERT_TRUE(prepare());
  EXPECT_EQ(content(config() / "a.conf"), "second");
  EXPECT_EQ(content(fs::path(folders_of(node, id).secrets) / "PASSWORD"), "second");
  std::string line;
  std::getline(open_before, line);
  EXPECT_EQ(line, "first") << "a file that is open stays as it was";
  EXPECT_EQ(content(fs::path(folders_of(node, id).run) / "server.pid"), "42");
}

TEST_F(InstanceFoldersTest, PreparingAgainKeepsTheFoldersThemselvesWhichMayBeMountedInARoot) {
  put("config/a.conf.tmpl", "${secret:PASSWORD}");
  put("config/same.conf", "same");
  put("config/sub/old.conf", "old");
  put("config/gone/x", "x");
  put("config/turns", "a file");
  secrets = {{"PASSWORD", "first"}, {"OTHER", "other"}};
  ASSERT_TRUE(prepare());
  const fs::path in_memory = folders_of(node, id).secrets;
  const auto inode = [](const fs::path& path) { return status(path).st_ino; };
  const auto inodes = [&] { return std::tuple(inode(config()), inode(config() / "sub"), inode(config() / "same.conf"), inode(in_memory)); };
  const auto before = inodes();
  const Fd mounted = *files::open(in_memory, O_PATH | O_DIRECTORY);  // as a mount of it

  secrets = {{"PASSWORD", "second"}, {"NEW", "new"}};
  fs::remove_all(slot() / "config/gone");
  fs::remove(slot() / "config/sub/old.conf");
  fs::remove(slot() / "config/turns");
  put("config/sub/new.conf", "new");
  put("config/turns/into", "a folder");
  const auto prepared = prepare();
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(inodes(), before);
  EXPECT_EQ(content(config() / "a.conf"), "second");
  EXPECT_EQ(content(config() / "sub/new.conf"), "new");
  EXPECT_EQ(content(config() / "turns/into"), "a folder");
  EXPECT_FALSE(fs::exists(config() / "sub/old.conf"));
  EXPECT_FALSE(fs::exists(config() / "gone"));
  EXPECT_FALSE(fs::exists(in_memory / "OTHER"));
  EXPECT_FALSE(fs::exists(in_memory.string() + ".new"));
  EXPECT_EQ(content(fmt::format("/proc/self/fd/{}/PASSWORD", mounted.get())), "second");
  for (const auto& [path, mode] :
       {std::pair(in_memory, 0500u), {in_memory / "PASSWORD", 0400u}, {config() / "sub", 0500u}, {config() / "sub/new.conf", 0400u}}) {
    EXPECT_EQ(status(path).st_mode & 07777u, mode) << path;
    EXPECT_EQ(std::tuple(status(path).st_uid, status(path).st_gid), std::tuple(who.uid, who.gid)) << path;
  }

  fs::remove(slot() / "config/a.conf.tmpl");
  secrets.clear();
  ASSERT_TRUE(prepare());
  EXPECT_TRUE(fs::is_empty(in_memory));
  secrets = {{"PASSWORD", "third"}};
  ASSERT_TRUE(prepare());
  EXPECT_EQ(content(fmt::format("/proc/self/fd/{}/PASSWORD", mounted.get())), "third") << "nor is an empty one another";
}

TEST_F(InstanceFoldersTest, AnAppCannotLeadBerthdElsewhereByALinkInItsConfiguration) {
  put("config/sub/a.conf", "x");
  ASSERT_TRUE(prepare());
  const auto elsewhere = folder.path() / "elsewhere";
  fs::create_directory(elsewhere);
  fs::remove_all(config() / "sub");
  fs::create_directory_symlink(elsewhere, config() / "sub");
  ASSERT_TRUE(prepare());
  EXPECT_TRUE(fs::is_empty(elsewhere));
  EXPECT_EQ(content(config() / "sub/a.conf"), "x");
  EXPECT_FALSE(fs::is_symlink(config() / "sub"));
}

TEST_F(InstanceFoldersTest, AReleaseWithoutConfigurationGetsAnEmptyFolder) {
  fs::remove(slot() / "config");
  ASSERT_TRUE(prepare());
  EXPECT_TRUE(fs::is_empty(config()));
}

TEST_F(InstanceFoldersTest, EmptyDataAreGivenToAnotherUserAndOthersAreNotTouched) {
  ASSERT_TRUE(prepare());
  EXPECT_EQ(status(node.paths.data("web")).st_uid, who.uid);
  std::ofstream(node.paths.data("web") / "file") << "x";
  const RunAs other{.uid = 61200, .gid = 61200};
  const auto refused = error_of(prepare_folders(node, manifest, id, other, environment(), {}));
  EXPECT_EQ(refused.code, Errc::usage);
  EXPECT_THAT(refused.message, HasSubstr("chown -R 61200:61200"));
  EXPECT_EQ(status(node.paths.data("web")).st_uid, who.uid);
  EXPECT_TRUE(prepare_folders(node, manifest, id, {.uid = 0, .gid = 0}, environment(), {})) << "root may write there anyway";
  EXPECT_EQ(status(node.paths.data("web")).st_uid, who.uid);
}

TEST_F(InstanceFoldersTest, AreRemovedWholeAndRemovingThemAgainIsFine) {
  put("config/a.conf", "x");
  ASSERT_TRUE(prepare());
  ASSERT_TRUE(remove_folders(node, id));
  EXPECT_FALSE(fs::exists(folders_of(node, id).base));
  EXPECT_TRUE(remove_folders(node, id));
}

TEST_F(InstanceFoldersTest, WhatACrashLeftOfOthersIsRemoved) {
  ASSERT_TRUE(prepare());
  InstanceId gone = id;
  gone.release = "v0";
  const auto left = folders_of(node, gone);
  fs::create_directories(left.secrets);
  std::ofstream(left.secrets + "/TOKEN") << "hunter2";
  ASSERT_TRUE(remove_strange_folders(node, {id}));
  EXPECT_FALSE(fs::exists(left.base));
  EXPECT_TRUE(fs::exists(folders_of(node, id).secrets));
  ASSERT_TRUE(remove_strange_folders(node, {}));
  EXPECT_FALSE(fs::exists(folders_of(node, id).base));
  fs::remove_all(instances_folder(node));
  EXPECT_TRUE(remove_strange_folders(node, {})) << "none there is fine";
}

}  // namespace
}  // namespace berth::deploy
