#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::deploy {

/// Makes a command of the spec one that can be executed: `${NAME}` expanded from `environment`, argv[0] absolute. With a slash, argv[0] is below `app`,
/// the slot's tree, which it may not leave; with one in front, it is a program of this machine; without, it is looked up in the environment's PATH. Fails
/// with `Errc::usage` for an unknown variable, `Errc::not_found` for a program that is not there or cannot be executed.
Result<std::vector<std::string>> find_command(const std::filesystem::path& app, const std::vector<std::string>& command,
                                              const std::map<std::string, std::string>& environment);

/// The folder `directory` below `app`; `app` itself where it is empty. `Errc::not_found` where it is none or lies elsewhere.
Result<std::string> find_directory(const std::filesystem::path& app, const std::string& directory);

}  // namespace berth::deploy
