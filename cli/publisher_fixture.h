#pragma once

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/json_view.h"
#include "cli/run_berth.h"
#include "core/files/files.h"
#include "core/json/json.h"

namespace berth::cli {

namespace fs = std::filesystem;

/// A folder with an app `web` and two environments, and the publisher's verbs as a user calls them: no berthd is there.
class PublisherVerbs : public testing::Test {
 protected:
  PublisherVerbs() {
    ::setenv("XDG_DATA_HOME", at("share").c_str(), 1);
    ::setenv("BERTH_SOCKET", "/nonexistent/api.sock", 1);
    ::unsetenv("BERTH_BUILDER");
    put("site/berth.toml", "app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\n[env.GREETING]\nrequired = true\n");
    put("site/bin/server", "#!/bin/sh\nexec sleep 1000\n", 0755);
    put("environments/production/env.toml", "GREETING = \"hello\"\n");
    put("environments/qa/env.toml", "GREETING = \"hi\"\n");
  }

  std::string at(const std::string& name) const { return (folder.path() / name).string(); }

  void put(const std::string& name, const std::string& content, mode_t mode = 0644) {
    ASSERT_TRUE(files::make_directories(fs::path(at(name)).parent_path()));
    ASSERT_TRUE(files::replace(at(name), content, mode));
  }

  /// Runs a verb that must end with `exit`.
  Ran run(const std::vector<std::string>& arguments, int exit = 0) {
    Ran ran = run_berth(arguments);
    EXPECT_EQ(ran.exit, exit) << ran.out << ran.err;
    return ran;
  }

  json::value document(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const auto parsed = json::parse(run(arguments).out);
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed ? *parsed : json::value();
  }

  void publish() {
    run({"repo", "init", at("repo")});
    run({"build", at("site")});
    EXPECT_EQ(text_of(document(release()), "release"), "v1");
  }

  std::vector<std::string> release(const std::string& environment = "production") const {
    return {"release", "web", "--env", environment, "--repo", at("repo"), "--environments", at("environments")};
  }

  std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) const {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  files::TemporaryDirectory folder;
};

}  // namespace berth::cli
