#include "run/new_spec.h"

#include <fcntl.h>
#include <fmt/core.h>

#include "core/files/files.h"
#include "core/spec/app_spec.h"

namespace berth::run {
namespace {

/// A basic string of TOML.
std::string in_toml(std::string_view text) {
  std::string all = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') all += '\\';
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) all += fmt::format("\\u{:04x}", static_cast<unsigned>(letter));
    else all += letter;
  }
  return all + "\"";
}

std::string in_toml(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + in_toml(word);
  return "[" + all + "]";
}

/// A comment of one line, whatever it is made of.
std::string comment(std::string_view text) {
  std::string all = "# ";
  for (const char letter : text) all += static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f ? ' ' : letter;
  return all;
}

void add_process(std::string& text, const GuessedProcess& process, bool explains) {
  text += fmt::format("\n[process.{}]\n", process.name);
  if (explains) text += "# Words, no shell: ${PORT}, ${NAME} of a declared variable and ${BERTH_…} are put in. A path is below this folder, a bare word is looked up in bin/ and PATH.\n";
  text += fmt::format("command = {}  {}\n", in_toml(process.command), comment(process.why));
  if (process.port != 0 && explains) {
    text += fmt::format("# The public port. The app listens on all addresses on $PORT, which is another number on a node. With `socket = {0}` it is handed a listening\n"
                        "# socket instead (LISTEN_FDS); with neither, it is a worker, or does its own.\n",
                        process.port);
  }
  if (process.port != 0) text += fmt::format("port = {}\n", process.port);
  if (!explains) return;
  text += "# instances = 2\n"
          "# stop = { signal = \"TERM\", grace = \"10s\" }  # how it is asked to end, and how long before it is killed\n"
          "# restart = \"always\"                         # or \"on-failure\", \"never\"\n"
          "# after = [\"NAME\"]                           # processes that are ready before it starts\n";
  if (process.port == 0) return;
  text += fmt::format("\n# When it may be used. Without a probe: as soon as it listens.\n"
                      "# [process.{}.readiness]\n"
                      "# http = \"/\"                                 # or tcp = true, exec = [\"bin/check\"], grpc = true, notify = true\n"
                      "# period = \"2s\"\n",
                      process.name);
}

void add_variables(std::string& text, const std::vector<GuessedVariable>& variables) {
  text += "\n# What the app is told by its environment. A release without a required one, or with one that is not declared here, is refused. On this machine the\n"
          "# values come from .env, which is never in a build, or from environments/dev/env.toml.\n";
  for (const GuessedVariable& variable : variables) {
    text += fmt::format("[env.{}]", variable.name);
    text += variable.why.empty() ? "\n" : "  " + comment(variable.why) + "\n";
    if (variable.required) text += "required = true\n";
    if (variable.secret) text += "secret = true      # in an environment, a reference: file:/…, credential:NAME, env:NAME\n";
    if (variable.preset) text += fmt::format("default = {}\n", in_toml(*variable.preset));
  }
  if (variables.empty()) text += "# [env.GREETING]\n# required = true\n# secret = true\n# default = \"hello\"\n";
}

}  // namespace

std::string spec_text(const Guess& guess) {
  std::string text = fmt::format("{}\n# 'berth run' runs it here, 'berth build .' makes a build of it. docs/workstation.md tells more.\napp = {}\n",
                                 comment(fmt::format("How {} is run: {}.", guess.app, guess.what)), in_toml(guess.app));
  bool explains = true;
  for (const GuessedProcess& process : guess.processes) {
    add_process(text, process, explains);
    explains = false;
  }
  text += guess.pre_start.empty() ? "\n# [hooks]\n# pre-start = [\"bin/migrate\"]                   # run once before its processes are started; where it fails, nothing is\n"
                                  : fmt::format("\n[hooks]\npre-start = {}  # Procfile: release; run once before its processes are started; where it fails, nothing is\n", in_toml(guess.pre_start));
  add_variables(text, guess.variables);
  return text;
}

Result<NewSpec> make_new_spec(const fs::path& tree, const std::vector<std::string>& command) {
  std::error_code ignored;
  std::error_code failed;
  const fs::path folder = fs::canonical(tree, failed);
  if (failed == std::errc::permission_denied) return fail_errno("look at " + tree.string(), failed.value());
  if (folder.empty() || !fs::is_directory(folder, ignored)) return fail(Errc::not_found, fmt::format("{} is no folder; where a command is said, the folder comes first: berth new . -- COMMAND", tree.string()));
  NewSpec made{.file = folder / "berth.toml", .guess = {}};
  const std::string there = fmt::format("{} is there already, and is not replaced", made.file.string());
  if (fs::exists(fs::symlink_status(made.file, ignored))) return fail(Errc::exists, there);
  BERTH_TRY(made.guess, guess_app(folder, command));
  const std::string text = spec_text(made.guess);
  if (const auto parsed = spec::parse_toml(text, made.file.string()); !parsed)
    return fail(Errc::usage, fmt::format("what {} has can be no berth.toml as it is: {}", folder.string(), parsed.error().message));
  auto file = files::open(made.file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  if (!file && file.error().code == Errc::exists) return fail(Errc::exists, there);
  if (!file) return pass(std::move(file.error()));
  BERTH_CHECK(files::write_all(file->get(), text, made.file.string()));
  return made;
}

}  // namespace berth::run
