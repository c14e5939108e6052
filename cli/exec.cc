#include <cstdlib>
#include <memory>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/exec_session.h"
#include "cli/json_view.h"
#include "cli/verbs.h"
#include "core/attached.h"

namespace berth::cli {
namespace {

struct ExecOptions {
  std::string what, release, reason;
  std::vector<std::string> command;
  bool no_terminal = false, no_input = false;
};

/// What is asked for. Fails with `Errc::usage`.
Result<InstanceSelector> selector_of(const ExecOptions& options) {
  BERTH_TRY(auto selector, parse_selector(options.what));
  if (selector.number) return fail(Errc::usage, fmt::format("berth exec: '{}' names an instance; the command is one of its own: {}/{}", options.what, selector.app, *selector.process));
  if (selector.release && !options.release.empty() && options.release != *selector.release)
    return fail(Errc::usage, fmt::format("berth exec: '{}' and --release {} name two releases", options.what, options.release));
  return selector;
}

Result<int> run_exec(const Console& console, const ExecOptions& options, const InstanceSelector& selector) {
  const ExecFiles files{.terminal = !options.no_terminal && !options.no_input && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1, .input = !options.no_input};

  json::object body{{"command", json::array(options.command.begin(), options.command.end())}};
  if (selector.process) body["process"] = *selector.process;
  put_if(body, "release", selector.release.value_or(options.release));
  put_if(body, "reason", options.reason);
  const char* term = std::getenv("TERM");
  if (files.terminal && term != nullptr) put_if(body, "term", term);
  BERTH_TRY(const auto place, ApiClient(console).post(app_target(selector.app, "/exec"), std::move(body)));
  BERTH_TRY(const auto end, run_exec_session(text_of(place, "socket"), files));
  if (!end.message.empty()) console.warn(fmt::format("berth exec: {}: {}", text_of(place, "instance"), end.message));
  return end.exit;
}

/// The command's exit code is this program's, so that none of berth's own can be: they would be taken for it. But a wrong call is one, of which nothing was asked.
Result<Exit> exec(const Console& console, const ExecOptions& options) {
  BERTH_TRY(const auto selector, selector_of(options));
  const auto exit = run_exec(console, options, selector);
  if (exit) return static_cast<Exit>(*exit);
  report(console, exit.error());
  return static_cast<Exit>(attached::kNotBegun);
}

}  // namespace

Verb exec_verb() {
  auto o = std::make_shared<ExecOptions>();
  return {
      .name = "exec",
      .summary = "Run a command once, as the app's user in a release's folder and environment",
      .text = "The command has the release's variables, secrets and configuration, and the root, folder and limits of one of its processes: of PROCESS, else of the "
              "only one, else of 'web'. It has no port. Nothing of it is expanded, and no shell reads it: 'berth exec web -- sh -c \"...\"' runs one. "
              "At a terminal it gets one of its own; else stdin, stdout and stderr are its own as they are. Signals go to it. When 'berth exec' ends, so does all of "
              "it; berthd may be restarted meanwhile. It is no part of a deployment, also runs while the app is stopped, and is in 'berth events' with who ran it. "
              "The exit code is the command's: 128 and the signal's number where a signal ended it, 127 where there is no such program, 126 where it could not be "
              "executed, and 125 where berth itself failed, of which stderr tells; a wrong call of berth is 2.",
      .examples = {"berth exec web -- bin/console", "berth exec web/worker@v41 -- bin/check --all > report.txt", "berth exec db -- pg_dump app | gzip > app.sql.gz"},
      .exits = {},
      .arguments = {{"APP[/PROCESS][@RELEASE]", "the app, or one of its processes; of one release, in the place of the active one", &o->what, Completes::app_or_process},
                    {"-- COMMAND...", "the program, in the slot's bin/ or in PATH or by its path, and its arguments", &o->command}},
      .options = {{.names = "--release", .value = "ID", .help = "a release that is on this node, as in web@v41", .into = &o->release, .completes = Completes::release_id_here},
                  {.names = "-T,--no-terminal", .value = "", .help = "no terminal for the command, also at one", .into = &o->no_terminal},
                  {.names = "-n,--no-input", .value = "", .help = "an empty stdin, and no terminal", .into = &o->no_input},
                  reason_option(o->reason)},
      .action = [o](Console& console) { return exec(console, *o); },
      .exit_texts = {{"0", "the command ended with 0"},
                     {"N", "the command's own, 128 and the signal's number where a signal ended it"},
                     {"125", "berth itself failed, of which stderr tells"},
                     {"126", "the command could not be executed"},
                     {"127", "there is no such command"}},
  };
}

}  // namespace berth::cli
