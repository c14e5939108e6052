#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "run/app_guess.h"

namespace berth::run {

/// A berth.toml for what was guessed, which explains itself. The spec's own parser reads it.
std::string spec_text(const Guess& guess);

/// What `berth new` made.
struct NewSpec {
  fs::path file;
  Guess guess;
};

/// Writes `tree`/berth.toml of what lies in the folder, or of `command`. Never over one that is there (`Errc::exists`).
Result<NewSpec> make_new_spec(const fs::path& tree, const std::vector<std::string>& command);

}  // namespace berth::run
