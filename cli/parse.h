#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace berth::cli {

/// What a command line asks for.
struct Parsed {
  const Verb* verb = nullptr;     ///< the verb to run; the root where none was named
  std::vector<std::string> path;  ///< how it was called, from "berth" on
  bool help = false;  ///< is wanted
};

/// Parses by the tree of verbs, and stores values where their descriptions point. `Errc::usage` names the wrong word, and the one
/// that was probably meant.
Result<Parsed> parse(const Verb& root, std::vector<std::string> arguments);

/// Parses, prints help or complaints, or runs the verb; gives what the program ends with.
int run(const Verb& root, Console& console, const std::vector<std::string>& arguments);

/// Which of `known` was probably meant by `word`.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& known);

}  // namespace berth::cli
