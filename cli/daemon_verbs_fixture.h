#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cli/fake_daemon.h"
#include "cli/run_berth.h"

namespace berth::cli {

/// The verbs that ask a daemon, which is a fake one here.
class DaemonVerbs : public testing::Test {
 protected:
  /// A deployment of web@v2 as berthd tells it.
  static std::string deployment(const std::string& state, int exit, const std::string& more = "") {
    return fmt::format(R"({{"id": 7, "app": "web", "release": "v2", "kind": "deploy", "state": "{}", "from": "v1", "exit": {},
      "created_at": "2026-11-24T09:00:00Z", "ended_at": "2026-11-24T09:00:04Z" {}}})", state, exit, more);
  }
  static std::string steps(std::initializer_list<const char*> states) {
    std::string text;
    for (const char* state : states) text += fmt::format(R"({}{{"state": "{}", "at": "2026-11-24T09:00:01Z"}})", text.empty() ? "" : ",", state);
    return ", \"steps\": [" + text + "]";
  }
  Ran berth(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_berth(std::move(arguments));
  }
  FakeDaemon daemon;
};

}  // namespace berth::cli
