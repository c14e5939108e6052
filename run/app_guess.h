#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace berth::run {

namespace fs = std::filesystem;

struct GuessedProcess {
  std::string name = "web";
  std::vector<std::string> command;  ///< argv of a spec
  std::uint16_t port = 0;            ///< 0: none
  std::string why;                   ///< where the command comes from
};

struct GuessedVariable {
  std::string name;
  bool secret = false, required = false;
  std::optional<std::string> preset;
  std::string why;
};

/// What a folder seems to be, and how it is run.
struct Guess {
  std::string app;
  std::string what;                        ///< "a Node app (package.json)"
  std::vector<GuessedProcess> processes;
  std::vector<GuessedVariable> variables;
  std::vector<std::string> pre_start;      ///< a hook's command; empty: none
  std::vector<std::string> notes;          ///< what is to be looked at, a line each
};

/// Looks at what lies in a folder: a Procfile, package.json, Python's requirements and app modules, go.mod, executables, static pages; and at .env or .env.example for the names of variables,
/// never for values. `command`: what runs it, where whoever asks knows; else empty. `Errc::usage` where nothing of these is there.
Result<Guess> guess_app(const fs::path& tree, const std::vector<std::string>& command);

/// That `tree` can be looked into, and what tells of an app there can be read: what may not be looked at is no empty folder. `Errc::permission` names it.
Result<void> check_readable(const fs::path& tree);

/// A name for an app out of any text: "My_Shop" → "my-shop"; "app" where nothing is left.
std::string app_name_of(std::string_view text);

// What guess_app asks, in this order; nothing where it is no such folder.
Result<std::optional<Guess>> guess_node(const fs::path& tree);
Result<std::optional<Guess>> guess_python(const fs::path& tree);

/// A file of at most 1 MiB; empty where there is none.
std::string text_of_file(const fs::path& file);

/// Adds a variable where it has none of that name.
void add_variable(Guess& guess, GuessedVariable variable);

}  // namespace berth::run
