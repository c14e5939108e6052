#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/advice.h"
#include "cli/verbs.h"
#include "run/new_spec.h"

namespace berth::cli {
namespace {

struct NewOptions {
  std::string path = ".";
  std::vector<std::string> command;
};

Result<Exit> make_new(const Console& console, const NewOptions& options) {
  BERTH_TRY(const auto made, run::make_new_spec(options.path, options.command));
  if (console.json) {
    boost::json::array processes;
    for (const auto& process : made.guess.processes)
      processes.push_back({{"process", process.name}, {"command", boost::json::array(process.command.begin(), process.command.end())}, {"port", process.port}});
    console.document(boost::json::object{{"file", made.file.string()},
                                         {"app", made.guess.app},
                                         {"found", made.guess.what},
                                         {"processes", std::move(processes)},
                                         {"notes", boost::json::array(made.guess.notes.begin(), made.guess.notes.end())}});
    return Exit::ok;
  }
  console.line(fmt::format("{}: {}", made.file.string(), made.guess.what));
  for (const auto& process : made.guess.processes)
    console.note(fmt::format("  {}: {}{}", process.name, fmt::join(process.command, " "), process.port == 0 ? std::string() : fmt::format(", port {}", process.port)));
  for (const std::string& note : made.guess.notes) console.warn(note);
  console.note(options.path == "." ? "Next: look it over, then: berth run" : fmt::format("Next: look it over, then: berth run {}", shell_word(options.path)));
  return Exit::ok;
}

}  // namespace

Verb new_verb() {
  auto o = std::make_shared<NewOptions>();
  return {
      .name = "new",
      .summary = "Write the berth.toml of an app, from what its folder has",
      .text = "It looks for a Procfile, package.json, a Python app (Django, FastAPI, Flask, or a module), go.mod, an executable, and static pages, in this order; a COMMAND says it instead. "
              "The names of variables, never their values, come from .env or .env.example. The file explains itself by comments. One that is there is never replaced.",
      .examples = {"berth new", "berth new ./shop", "berth new . -- python3 -m shop --port '${PORT}'"},
      .exits = {Exit::failed, Exit::not_found, Exit::permission, Exit::conflict},
      .arguments = {{.name = "PATH", .help = "the app's folder (default: this one)", .into = &o->path, .completes = Completes::folder, .required = false},
                    {.name = "-- COMMAND...", .help = "what runs it, and its arguments", .into = &o->command, .required = false}},
      .options = {},
      .action = [o](Console& console) { return make_new(console, *o); },
  };
}

}  // namespace berth::cli
