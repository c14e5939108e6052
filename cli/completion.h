#pragma once

#include <string>

#include "cli/command.h"

namespace berth::cli {

/// The completion script of a shell, made of the tree of verbs: verbs and options stand in it, the names of apps, releases and instances
/// are asked for by the hidden verb `complete`. Fails with `Errc::usage` for a shell that is none of bash, zsh and fish.
Result<std::string> completion_script(const Verb& root, const std::string& shell);

/// The verb that prints them, and the hidden one that they call; `console` of the run knows berthd.
Verb completion_verb();
Verb complete_verb();

}  // namespace berth::cli
