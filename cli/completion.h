#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace berth::cli {

/// A word that a shell may put in the place of what is typed, and what it means.
struct Offer {
  std::string word;
  std::string text{};
};

/// What a command line, typed so far, wants next.
struct Wanted {
  std::string typed;                 ///< of the word that is completed; of "--name=value" the value
  std::string before;                ///< "--name=", which every offer begins with then
  std::vector<Offer> offers;         ///< that the tree of verbs knows: verbs, options, words
  Completes completes = Completes::nothing;  ///< what has to be asked for besides
  std::vector<std::string> arguments;        ///< of the verb, that come before
  std::vector<std::string> nodes;            ///< what --node says
  std::string socket, repository, environments;  ///< what --socket, --repo and --environments say; empty where they say nothing
};

/// Reads `words`, which come after "berth"; the last one, perhaps empty, is what is completed.
Wanted wanted_by(const Verb& root, const std::vector<std::string>& words);

/// The completion script of a shell: it asks `berth complete -- WORD…` for each word. Fails with `Errc::usage` for a shell that is none of bash, zsh and fish.
Result<std::string> completion_script(const std::string& shell);

/// What `berth complete -- WORD…` prints: a word a line, with what it means after a tab; or ":files" or ":folders" for what the shell knows itself. Ends within
/// 300 ms, whatever does not answer, and tells of no failure: a shell has no use for them.
int complete(const Verb& root, Console& console, std::vector<std::string> words);

/// The verb that prints the scripts.
Verb completion_verb();

}  // namespace berth::cli
