#include "run/app_guess.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fstream>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "core/spec/app_spec.h"
#include "run/dotenv.h"
#include "run/procfile.h"

namespace berth::run {
namespace {

constexpr std::uint16_t kUsualPort = 8080;

bool is_regular(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_elf(const fs::path& path) {
  if (::access(path.c_str(), X_OK) != 0) return false;
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return std::string_view(magic, sizeof magic) == "\x7f" "ELF";
}

/// The programs in a folder, by name.
std::vector<std::string> programs_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
    if (is_regular(entry->path()) && is_elf(entry->path())) names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  return names;
}

bool is_secret_name(const std::string& name) {
  constexpr std::string_view kParts[] = {"SECRET", "PASSWORD", "PASSWD", "TOKEN", "API_KEY", "PRIVATE", "CREDENTIAL", "DATABASE_URL", "DSN", "_KEY", "REDIS_URL", "AMQP_URL"};
  return std::ranges::any_of(kParts, [&name](std::string_view part) { return name.find(part) != std::string::npos; });
}

/// The names in `.env`, or in the example of one, are what the app wants to be told.
Result<void> add_dotenv(const fs::path& tree, Guess& guess) {
  for (const char* file : {".env", ".env.example", ".env.sample"}) {
    const std::string text = text_of_file(tree / file);
    if (text.empty()) continue;
    BERTH_TRY(const auto values, parse_dotenv(text, (tree / file).string()));
    for (const auto& [name, value] : values)
      if (!spec::is_reserved_variable(name)) add_variable(guess, {.name = name, .secret = is_secret_name(name), .required = true, .preset = {}, .why = fmt::format("named in {}", file)});
    return {};
  }
  return {};
}

/// Whether a command has `$PORT` or `${PORT}`.
bool names_port(std::string_view command) {
  if (command.find("${PORT}") != std::string_view::npos) return true;
  const auto at = command.find("$PORT");
  if (at == std::string_view::npos) return false;
  const char next = at + 5 < command.size() ? command[at + 5] : ' ';
  return std::isalnum(static_cast<unsigned char>(next)) == 0 && next != '_';
}

/// Whether a command has an option, or a word, that is an address of this machine alone: "--bind 127.0.0.1", "--host=localhost", "-b 127.0.0.1:$PORT".
bool binds_loopback(std::string_view command) {
  for (const std::string_view address : {"127.0.0.1", "localhost", "[::1]"})
    for (auto at = command.find(address); at != std::string_view::npos; at = command.find(address, at + 1)) {
      const char before = at == 0 ? 'x' : command[at - 1], behind = at + address.size() < command.size() ? command[at + address.size()] : ' ';
      const auto colon = command.substr(at + address.size(), 3);
      if ((before == ' ' || before == '=') && (behind == ' ' || colon == ":$P" || colon == ":${")) return true;
    }
  return false;
}

Result<std::optional<Guess>> guess_procfile(const fs::path& tree) {
  if (!is_regular(tree / "Procfile")) return std::optional<Guess>();
  BERTH_TRY(const auto lines, parse_procfile(text_of_file(tree / "Procfile"), (tree / "Procfile").string()));
  Guess guess{.app = {}, .what = "an app with a Procfile", .processes = {}, .variables = {}, .pre_start = {}, .notes = {}};
  std::uint16_t next_port = kUsualPort + 1;
  for (const ProcfileLine& line : lines) {
    const auto words = plain_words(line.command);
    const auto command = words.empty() ? by_shell(line.command) : words;
    if (line.process == "release") {  // what is run once before a release's processes are
      guess.pre_start = command;
      continue;
    }
    const bool is_reached = line.process == "web" || names_port(line.command);
    const std::uint16_t port = !is_reached ? 0 : line.process == "web" ? kUsualPort : next_port++;
    if (is_reached && binds_loopback(line.command))
      guess.notes.push_back(fmt::format("the Procfile's {} is told a loopback address: nobody elsewhere reaches it there, so have it listen on all addresses (0.0.0.0, ::)", line.name));
    guess.processes.push_back({.name = line.process, .command = command, .port = port, .why = fmt::format("Procfile: {}", line.name)});
  }
  return std::optional(std::move(guess));
}

/// One program, or several of which none is the obvious one.
std::optional<Guess> guess_program(const fs::path& tree) {
  const std::string module = text_of_file(tree / "go.mod");
  const std::string kind = module.empty() ? "a program" : "a Go app (go.mod)";
  std::string name;
  if (module.starts_with("module ")) {
    name = module.substr(7, module.find_first_of("\r\n", 7) - 7);
    name = name.substr(name.rfind('/') + 1);
  }
  Guess guess{.app = name, .what = kind, .processes = {}, .variables = {}, .pre_start = {}, .notes = {}};
  for (const char* folder : {"bin", "."}) {
    const auto programs = programs_in(tree / folder);
    if (programs.empty()) continue;
    const auto preferred = std::ranges::find(programs, name.empty() ? tree.filename().string() : name);
    const std::string program = preferred != programs.end() ? *preferred : programs.front();
    guess.processes.push_back({.name = "web", .command = {fmt::format("{}/{}", folder, program)}, .port = kUsualPort, .why = "an executable"});
    if (programs.size() > 1 && preferred == programs.end()) guess.notes.push_back(fmt::format("{} has several programs ({}); {} is taken", folder, fmt::join(programs, ", "), program));
    return guess;
  }
  if (module.empty()) return {};
  guess.processes.push_back({.name = "web", .command = {"bin/" + (name.empty() ? "app" : name)}, .port = kUsualPort, .why = "go.mod"});
  guess.notes.push_back(fmt::format("the program is not built yet: go build -o {} .", guess.processes[0].command[0]));
  return guess;
}

std::optional<Guess> guess_pages(const fs::path& tree) {
  for (const char* folder : {".", "public", "dist", "html", "site", "_site", "build", "www"}) {
    if (!is_regular(tree / folder / "index.html")) continue;
    Guess guess{.app = {},
                .what = fmt::format("static pages ({}index.html)", std::string_view(folder) == "." ? "" : std::string(folder) + "/"),
                .processes = {{.name = "web", .command = {"python3", "-m", "http.server", "--directory", folder, "${PORT}"}, .port = kUsualPort,
                               .why = "Python's own web server; for many visitors, nginx takes a socket: docs/workstation.md"}},
                .variables = {},
                .pre_start = {},
                .notes = {}};
    if (std::string_view(folder) == ".")
      guess.notes.push_back(fmt::format("all of this folder is served, berth.toml{} too: move the pages into public/, and name that behind --directory", is_regular(tree / ".env") ? " and .env" : ""));
    return guess;
  }
  return {};
}

Result<std::optional<Guess>> guess_any(const fs::path& tree, const std::vector<std::string>& command) {
  if (!command.empty()) {
    const bool is_reached = std::ranges::any_of(command, [](const std::string& word) { return word.find("${PORT}") != std::string::npos; });
    return std::optional(Guess{.app = {},
                               .what = "an app",
                               .processes = {{.name = "web", .command = command, .port = is_reached ? kUsualPort : std::uint16_t{0}, .why = "as said"}},
                               .variables = {},
                               .pre_start = {},
                               .notes = {}});
  }
  BERTH_TRY(auto by_procfile, guess_procfile(tree));
  if (by_procfile) return by_procfile;
  BERTH_TRY(auto node, guess_node(tree));
  if (node) return node;
  BERTH_TRY(auto python, guess_python(tree));
  if (python) return python;
  if (auto program = guess_program(tree)) return program;
  return guess_pages(tree);
}

}  // namespace

std::string app_name_of(std::string_view text) {
  std::string name;
  for (const char letter : text) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    const bool is_letter = lower >= 'a' && lower <= 'z', is_digit = lower >= '0' && lower <= '9';
    if (is_letter || (is_digit && !name.empty())) name += lower;
    else if (!name.empty() && name.back() != '-') name += '-';
  }
  name = name.substr(0, 31);
  while (name.ends_with('-')) name.pop_back();
  return is_name(name) ? name : "app";
}

std::string text_of_file(const fs::path& file) {
  const auto text = files::read(file, 1u << 20);
  return text ? *text : std::string();
}

void add_variable(Guess& guess, GuessedVariable variable) {
  if (std::ranges::find(guess.variables, variable.name, &GuessedVariable::name) == guess.variables.end()) guess.variables.push_back(std::move(variable));
}

Result<void> check_readable(const fs::path& tree) {
  if (::access(tree.c_str(), X_OK) != 0) return fail_errno("look into " + tree.string());
  for (const char* file : {"berth.toml", "Procfile", ".env", "package.json", "requirements.txt", "pyproject.toml", "go.mod"})
    if (::access((tree / file).c_str(), R_OK) != 0 && errno == EACCES) return fail_errno("read " + (tree / file).string());
  return {};
}

Result<Guess> guess_app(const fs::path& tree, const std::vector<std::string>& command) {
  BERTH_CHECK(check_readable(tree));
  std::error_code failed;
  fs::directory_iterator(tree, failed);
  if (failed) return fail_errno("list " + tree.string(), failed.value());
  BERTH_TRY(auto guess, guess_any(tree, command));
  if (!guess)
    return fail(Errc::usage, fmt::format("{}: found no Procfile, package.json, Python app, go.mod, executable or index.html; say what runs it: berth new {} -- COMMAND ARGUMENT…",
                                         tree.string(), tree.string()));
  guess->app = app_name_of(guess->app.empty() ? tree.filename().string() : guess->app);
  BERTH_CHECK(add_dotenv(tree, *guess));
  return std::move(*guess);
}

}  // namespace berth::run
