#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::deploy {

/// A slot's tree, and whether it is the root of the process: everything is looked up in it then, and told as the process sees it.
struct ProgramRoot {
  std::filesystem::path app;
  spec::Root root = spec::Root::node;
  std::string directory = {};  ///< the process's own, which a relative path in a command begins from
};

/// Makes a command of the spec one that can be executed: `${NAME}` expanded from `environment`, argv[0] absolute. With a slash, argv[0] is below
/// `directory` of `app`, the slot's tree, which it may not leave; with one in front, it is a program of this machine; without, it is looked up in the
/// environment's PATH. Fails with `Errc::usage` for an unknown variable, `Errc::not_found` for a program that is not there or cannot be executed.
Result<std::vector<std::string>> find_command(const ProgramRoot& where, const std::vector<std::string>& command,
                                              const std::map<std::string, std::string>& environment);

/// The folder `directory` below `app`; `app` itself where it is empty. `Errc::not_found` where it is none or lies elsewhere.
Result<std::string> find_directory(const ProgramRoot& where, const std::string& directory);

}  // namespace berth::deploy
