#include <unistd.h>

#include <fmt/core.h>

#include "core/json/json.h"
#include "run/app_guess.h"
#include "run/procfile.h"

namespace berth::run {
namespace {

constexpr std::uint16_t kNodePort = 3000;

std::string member_text(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// A script is run without npm between, which would be in the way of signals, where it is a plain command.
std::vector<std::string> command_of_script(const fs::path& tree, const std::string& script) {
  auto words = plain_words(script);
  if (words.empty()) return {"npm", "run", "--silent", "start"};
  const std::string tool = "node_modules/.bin/" + words[0];
  const bool is_path = words[0].find('/') != std::string::npos;
  if (!is_path && words[0] != "node" && words[0] != "npm" && words[0] != "npx") {
    if (::access((tree / tool).c_str(), X_OK) != 0) return {"npm", "run", "--silent", "start"};
    words[0] = tool;
  }
  return words;
}

}  // namespace

Result<std::optional<Guess>> guess_node(const fs::path& tree) {
  std::error_code ignored;
  if (!fs::is_regular_file(tree / "package.json", ignored)) return std::optional<Guess>();
  const auto package = json::parse(text_of_file(tree / "package.json"), {}, true);
  if (!package || !package->is_object())
    return fail(Errc::usage, fmt::format("{}: {}", (tree / "package.json").string(), package ? std::string("is no object") : package.error().message));
  const json::object& members = package->get_object();
  const auto* scripts = members.if_contains("scripts");
  const std::string script = scripts != nullptr && scripts->is_object() ? member_text(scripts->get_object(), "start") : std::string();
  const bool has_build = scripts != nullptr && scripts->is_object() && scripts->get_object().contains("build");

  Guess guess{.app = member_text(members, "name"), .what = "a Node app (package.json)", .processes = {}, .variables = {}, .pre_start = {}, .notes = {}};
  guess.app = guess.app.substr(guess.app.rfind('/') + 1);  // without its scope
  GuessedProcess process{.name = "web", .command = {}, .port = kNodePort, .why = "package.json, scripts.start"};
  if (!script.empty()) {
    process.command = command_of_script(tree, script);
  } else {
    std::string file = member_text(members, "main");
    for (const char* usual : {"server.js", "app.js", "index.js", "server.mjs", "index.mjs"})
      if (file.empty() && fs::is_regular_file(tree / usual, ignored)) file = usual;
    if (file.empty()) file = "index.js";
    process.command = {"node", file};
    if (!fs::exists(tree / file, ignored)) guess.notes.push_back(fmt::format("{} is not there: say in package.json what starts the app (scripts.start or main), or in berth.toml", file));
    process.why = "package.json has no scripts.start";
  }
  guess.processes.push_back(std::move(process));
  add_variable(guess, {.name = "NODE_ENV", .preset = "production", .why = "as Node's libraries know it"});
  const auto wants = [&members](std::string_view name) {
    const auto* value = members.if_contains(name);
    return value != nullptr && value->is_object() && !value->get_object().empty();
  };
  const bool has_libraries = wants("dependencies") || wants("devDependencies") || wants("optionalDependencies") || wants("peerDependencies");
  if (has_libraries && !fs::is_directory(tree / "node_modules", ignored)) guess.notes.push_back("its libraries are not here yet: npm install; they are a part of the build");
  if (has_build) guess.notes.push_back("package.json has a build script: run it before 'berth build'");
  return std::optional(std::move(guess));
}

}  // namespace berth::run
