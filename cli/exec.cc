#include <cstdlib>
#include <memory>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/exec_session.h"
#include "cli/exec_stream.h"
#include "cli/json_view.h"
#include "cli/verbs.h"
#include "core/attached.h"

namespace berth::cli {
namespace {

struct ExecOptions {
  std::string what, release, reason;
  std::vector<std::string> command;
  bool no_terminal = false, no_input = false, terminal = false, input = false;
};

bool is_at_terminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

/// What is asked for. Fails with `Errc::usage`.
Result<InstanceSelector> selector_of(const ExecOptions& options) {
  BERTH_TRY(auto selector, parse_selector(options.what));
  if (selector.release && !options.release.empty() && options.release != *selector.release)
    return fail(Errc::usage, fmt::format("berth exec: '{}' and --release {} name two releases", options.what, options.release));
  if (options.terminal && options.no_terminal) return fail(Errc::usage, "berth exec: -t and -T are two things");
  if (options.no_input && (options.terminal || options.input)) return fail(Errc::usage, "berth exec: -n leaves it nothing to be typed at: not with -i or -t");
  if (options.terminal && !is_at_terminal()) return fail(Errc::usage, "berth exec: -t: stdin and stdout are no terminal here; without -t it gets them as they are");
  return selector;
}

/// What a command is asked for with.
json::object body_of(const ExecOptions& options, const InstanceSelector& selector, bool terminal) {
  json::object body{{"command", json::array(options.command.begin(), options.command.end())}};
  if (selector.process) body["process"] = *selector.process;
  if (selector.number) body["number"] = *selector.number;
  put_if(body, "release", selector.release.value_or(options.release));
  put_if(body, "reason", options.reason);
  const char* term = std::getenv("TERM");
  if (terminal && term != nullptr) put_if(body, "term", term);
  return body;
}

/// On the node the command has the files of this program themselves.
Result<ExecEnd> run_here(const Console& console, const InstanceSelector& selector, json::object body, ExecFiles files, std::string& instance) {
  BERTH_TRY(const auto place, ApiClient(console).post(app_target(selector.app, "/exec/files"), std::move(body)));
  instance = text_of(place, "instance");
  return run_exec_session(text_of(place, "socket"), files);
}

Result<int> run_exec(const Console& console, const ExecOptions& options, const InstanceSelector& selector) {
  const ExecFiles files{.terminal = !options.no_terminal && !options.no_input && is_at_terminal(), .input = !options.no_input};
  json::object body = body_of(options, selector, files.terminal);
  std::string whose = options.what;
  BERTH_TRY(const auto end, console.node ? run_exec_stream(console, app_target(selector.app, "/exec"), std::move(body), files)
                                         : run_here(console, selector, std::move(body), files, whose));
  if (!end.message.empty()) console.warn(fmt::format("berth exec: {}: {}", whose, end.message));
  return end.exit;
}

/// The command's exit code is this program's, so that none of berth's own can be: they would be taken for it. But a wrong call is one, of which nothing was asked.
Result<Exit> exec(const Console& console, const ExecOptions& options) {
  if (!console.all_nodes.empty()) return fail(Errc::usage, "berth exec: a command runs on one node at a time: name it alone with --node");
  BERTH_TRY(const auto selector, selector_of(options));
  const auto exit = run_exec(console, options, selector);
  if (exit) return static_cast<Exit>(*exit);
  return report(console, exit.error(), static_cast<Exit>(attached::kNotBegun));
}

}  // namespace

Verb exec_verb() {
  auto o = std::make_shared<ExecOptions>();
  return {
      .name = "exec",
      .summary = "Run a command once, as the app's user in a release's folder and environment",
      .text = "The command has the release's variables, secrets and configuration, and the root, folder and limits of one of its processes: of PROCESS, else of the "
              "only one, else of 'web'. It has no port, but of an instance, as in web/web.1, whose files and variables it then has. "
              "Nothing of it is expanded, and no shell reads it: 'berth exec web -- sh -c \"...\"' runs one. "
              "At a terminal it gets one of its own; else stdin, stdout and stderr are its own as they are, or, with --node, are copied. Signals go to it. When 'berth exec' ends, so does all of "
              "it; berthd may be restarted meanwhile, but not with --node, where that ends it. It is no part of a deployment, also runs while the app is stopped, but not on a drained node, and is in 'berth events' with who ran it. "
              "The exit code is the command's: 128 and the signal's number where a signal ended it, 127 where there is no such program, 126 where it could not be "
              "executed, and 125 where berth itself failed, of which stderr tells; a wrong call of berth is 2.",
      .examples = {"berth exec web -- bin/console", "berth exec web/worker@v41 -- bin/check --all > report.txt", "berth exec db -- pg_dump app | gzip > app.sql.gz",
                   "berth exec --node edge-1 web/web.1 -- sh # in what that instance sees, on another node"},
      .exits = {},
      .arguments = {{"APP[/PROCESS[.N]][@RELEASE]", "the app, one of its processes, or an instance; of one release, in the place of the active one", &o->what, Completes::app_or_process},
                    {"-- COMMAND...", "the program, in the slot's bin/ or in PATH or by its path, and its arguments", &o->command}},
      .options = {{.names = "--release", .value = "ID", .help = "a release that is on this node, as in web@v41", .into = &o->release, .completes = Completes::release_id_here},
                  {.names = "-i,--input", .value = "", .help = "stdin is the command's, as it is without this", .into = &o->input, .rare = true},
                  {.names = "-t,--terminal", .value = "", .help = "a terminal for the command, or an error where this is none", .into = &o->terminal},
                  {.names = "-T,--no-terminal", .value = "", .help = "no terminal for the command, also at one", .into = &o->no_terminal},
                  {.names = "-n,--no-input", .value = "", .help = "an empty stdin, and no terminal", .into = &o->no_input},
                  reason_option(o->reason)},
      .action = [o](Console& console) { return exec(console, *o); },
      .exit_texts = {{"0", "the command ended with 0"},
                     {"N", "the command's own, 128 and the signal's number where a signal ended it"},
                     {"125", "berth itself failed, of which stderr tells"},
                     {"126", "the command could not be executed"},
                     {"127", "there is no such command"}},
      .takes_nodes = [] { return true; },
  };
}

}  // namespace berth::cli
