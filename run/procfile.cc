#include "run/procfile.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/ids.h"
#include "core/utf8.h"

namespace berth::run {
namespace {

constexpr std::size_t kLongestCommand = 32u << 10;
constexpr int kMostOfAProcess = spec::kMostShared;
constexpr std::string_view kSpaces = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::string process_name(std::string_view name) {
  std::string process;
  for (const char letter : name) process += letter == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return process;
}

Result<ProcfileLine> parse_line(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return fail(Errc::usage, "'name: command' is expected, and there is no ':'");
  const std::string_view name = trimmed(text.substr(0, colon)), command = trimmed(text.substr(colon + 1));
  ProcfileLine line{.name = std::string(name), .process = process_name(name), .command = std::string(command)};
  if (!is_name(line.process))
    return fail(Errc::usage, fmt::format("'{}' is no name of a process: a letter, then at most 30 letters, digits, '-' and '_'", as_utf8(name.substr(0, 100))));
  if (spec::is_hook_name(line.process)) return fail(Errc::usage, fmt::format("'{}' is the name of a hook, which no process may have", line.process));
  if (command.empty()) return fail(Errc::usage, fmt::format("{} has no command", line.name));
  if (command.size() > kLongestCommand || command.find('\0') != std::string_view::npos)
    return fail(Errc::usage, fmt::format("the command of {} is over {} KiB, or has a NUL in it", line.name, kLongestCommand >> 10));
  return line;
}

/// `$` as a command of a spec has it that is to reach a shell.
std::string escaped(std::string_view text) {
  std::string all;
  for (const char letter : text) all += letter == '$' ? "$$" : std::string(1, letter);
  return all;
}

}  // namespace

Result<std::vector<ProcfileLine>> parse_procfile(std::string_view text, std::string_view file) {
  std::vector<ProcfileLine> lines;
  int number = 0;
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    ++number;
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.front() == '#') continue;
    auto parsed = parse_line(line);
    if (!parsed) return fail(parsed.error().code, fmt::format("{}:{}: {}", file, number, parsed.error().message));
    if (std::ranges::find(lines, parsed->process, &ProcfileLine::process) != lines.end())
      return fail(Errc::usage, fmt::format("{}:{}: {} is there already", file, number, parsed->name));
    lines.push_back(std::move(*parsed));
  }
  if (lines.empty()) return fail(Errc::usage, fmt::format("{}: has no process; a line is 'name: command'", file));
  return lines;
}

std::vector<std::string> plain_words(std::string_view command) {
  constexpr std::string_view kRead = "\"'`\\|&;<>()*?[]~!#{}^\n";  // by a shell
  std::vector<std::string> words;
  for (std::string_view rest = trimmed(command); !rest.empty(); rest = trimmed(rest)) {
    std::string_view word = rest.substr(0, rest.find_first_of(kSpaces));
    rest.remove_prefix(word.size());
    std::string plain;
    for (const std::string_view variable : {"${PORT}", "$PORT"}) {
      const auto at = word.find(variable);
      if (at == std::string_view::npos) continue;
      const std::string_view behind = word.substr(at + variable.size());
      const bool goes_on = variable == "$PORT" && !behind.empty() && (std::isalnum(static_cast<unsigned char>(behind.front())) != 0 || behind.front() == '_');
      if (goes_on) return {};
      plain = std::string(word.substr(0, at)) + "${PORT}" + std::string(behind);
      if (word.substr(0, at).find_first_of(kRead) != std::string_view::npos || behind.find_first_of(kRead) != std::string_view::npos) return {};
      if (word.substr(0, at).find('$') != std::string_view::npos || behind.find('$') != std::string_view::npos) return {};
      break;
    }
    if (plain.empty()) {
      if (word.find_first_of(kRead) != std::string_view::npos || word.find('$') != std::string_view::npos) return {};
      plain = word;
    }
    const auto equals = plain.find('=');
    if (words.empty() && equals != std::string::npos && is_variable_name(std::string_view(plain).substr(0, equals))) return {};
    words.push_back(std::move(plain));
  }
  constexpr std::string_view kOfShells[] = {"cd", "exec", "export", "set", "source", ".", "if", "while", "for", "eval", "trap", "ulimit", "umask"};
  if (!words.empty() && std::ranges::find(kOfShells, words.front()) != std::end(kOfShells)) return {};
  return words;
}

std::vector<std::string> by_shell(std::string_view command) { return {"/bin/sh", "-c", escaped(command)}; }

spec::AppSpec spec_of_procfile(const std::string& app, const std::vector<ProcfileLine>& lines) {
  spec::AppSpec spec;
  spec.app = app;
  for (const ProcfileLine& line : lines) {
    spec::Process& process = spec.processes[line.process];
    process.command = by_shell(line.command);
    process.private_ports["http"] = {};
    process.restart = spec::Restart::never;
  }
  return spec;
}

Result<std::map<std::string, int>> parse_formation(const std::string& text, const spec::AppSpec& spec) {
  std::map<std::string, int> formation;
  for (const auto& [name, process] : spec.processes) formation[name] = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::string_view pair = trimmed(part);
    const auto equals = pair.find('=');
    const std::string_view number = equals == std::string_view::npos ? std::string_view() : trimmed(pair.substr(equals + 1));
    int instances = -1;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), instances);
    if (number.empty() || failed != std::errc() || end != number.data() + number.size() || instances < 0 || instances > kMostOfAProcess)
      return fail(Errc::usage, fmt::format("--formation: '{}' is not NAME=NUMBER, as in web=2,worker=1, with at most {} of each", pair, kMostOfAProcess));
    const std::string name = process_name(trimmed(pair.substr(0, equals)));
    if (name == "all") {
      for (auto& [process, wanted] : formation)
        if (!spec.processes.at(process).job) wanted = instances;
    } else if (formation.contains(name)) {
      formation[name] = instances;
    } else {
      std::vector<std::string> names;
      for (const auto& [process, wanted] : formation) names.push_back(process);
      return fail(Errc::usage, fmt::format("--formation: {} has no process '{}'; there are {}", spec.app, name, fmt::join(names, ", ")));
    }
  }
  return formation;
}

}  // namespace berth::run
