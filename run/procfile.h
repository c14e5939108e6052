#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::run {

/// A line of a Procfile: a process and what a shell is to run.
struct ProcfileLine {
  std::string name;     ///< as it stands there
  std::string process;  ///< what berth calls it: in lower case, with '-' for '_'
  std::string command;

  bool operator==(const ProcfileLine&) const = default;
};

/// Reads a Procfile: `name: command` on a line each; lines that are empty or begin with `#` say nothing. `Errc::usage` names `file`, the line, and what is
/// wrong there: a name that cannot be a process's, one that is there twice, or a line that is none of these.
Result<std::vector<ProcfileLine>> parse_procfile(std::string_view text, std::string_view file);

/// The words of a command that needs no shell: no quotes, no characters that a shell reads otherwise, and no variable in front. `$PORT` and `${PORT}` are `${PORT}`.
/// Empty where it needs one.
std::vector<std::string> plain_words(std::string_view command);

/// argv that has a shell run it.
std::vector<std::string> by_shell(std::string_view command);

/// The spec of an app that has a Procfile alone: a shell runs each command; each has a port of its own, is not started again when it ends, and is one instance.
spec::AppSpec spec_of_procfile(const std::string& app, const std::vector<ProcfileLine>& lines);

/// How many instances of each process: `web=2,worker=1`; what is not named has none, but for `all=N`, which is every process's. `Errc::usage` for what it cannot be, naming the processes there are.
Result<std::map<std::string, int>> parse_formation(const std::string& text, const spec::AppSpec& spec);

}  // namespace berth::run
