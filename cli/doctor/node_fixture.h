#pragma once

#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "core/files/files.h"
#include "daemon/store/database.h"
#include "daemon/store/migrations.h"

namespace berth::cli::doctor {

/// A node of files alone: folders, a configuration and a database, and a root in which proc and etc are.
class NodeFixture : public testing::Test {
 protected:
  NodeFixture() {
    subject.root = folder.path() / "root";
    subject.paths = {.state = folder.path() / "state", .logs = folder.path() / "logs", .run = folder.path() / "run"};
    for (const fs::path& path : {subject.paths.state, subject.paths.staging(), subject.paths.trust(), subject.paths.logs, subject.paths.run / "keepers", subject.root / "proc/self", subject.root / "etc"})
      fs::create_directories(path);
    for (const fs::path& path : {subject.paths.state, subject.paths.staging()}) ::chmod(path.c_str(), 0711);
    ::chmod((subject.paths.run / "keepers").c_str(), 0700);
    subject.owner = ::geteuid();
    subject.config_file = folder.path() / "berthd.toml";
    configure("");
    auto database = store::Database::open(subject.paths.database());
    EXPECT_TRUE(database);
    EXPECT_TRUE(store::migrate(*database, subject.paths.database(), store::migrations()));
    ::chmod(subject.paths.database().c_str(), 0600);
  }

  /// The configuration is what a node needs, and `more`.
  void configure(const std::string& more) {
    const std::string text = fmt::format("node = \"edge-1\"\nenvironment = \"production\"\n[paths]\nstate = \"{}\"\nlogs = \"{}\"\nrun = \"{}\"\n{}", subject.paths.state.string(), subject.paths.logs.string(),
                                         subject.paths.run.string(), more);
    put(subject.config_file, text);
    Console console;
    console.socket = (subject.paths.run / "api.sock").string();
    const Subject read = read_subject(console, subject.config_file);
    EXPECT_TRUE(read.config) << read.config_trouble;
    subject.config = read.config;
    subject.config_files = read.config_files;
  }

  void put(const fs::path& file, const std::string& text, mode_t mode = 0644) {
    fs::create_directories(file.parent_path());
    EXPECT_TRUE(files::replace(file, text, mode));
  }

  void execute(const std::string& sql) {
    auto database = store::Database::open(subject.paths.database());
    ASSERT_TRUE(database);
    const auto done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }

  /// What is not well, each as "error: seen".
  static std::vector<std::string> troubles(const Findings& findings) {
    std::vector<std::string> all;
    for (const Finding& finding : findings) {
      if (finding.level == Level::ok) continue;
      all.push_back(fmt::format("{}: {}", to_string(finding.level), finding.seen));
      EXPECT_NE(finding.why, "") << finding.seen;
      EXPECT_NE(finding.remedy, "") << finding.seen;
    }
    return all;
  }

  files::TemporaryDirectory folder;
  Subject subject;
};

}  // namespace berth::cli::doctor
