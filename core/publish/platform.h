#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::publish {

/// The platform that the programs of a tree are for, from the ELF headers of its executable files: `linux/amd64` or `linux/arm64`; `any` where no
/// file is a program. Fails with `Errc::usage`, and names files, where programs are for two platforms or for one that berth does not know.
Result<std::string> detect_platform(const std::filesystem::path& root, const std::vector<bundle::Entry>& entries);

/// The platform that one file of a tree is for; empty where it is no program, or not there. Fails as above where berth does not know the machine.
Result<std::string> platform_of_program(const std::filesystem::path& root, const std::string& path);

/// Whether it is one of those three.
bool is_platform(std::string_view text);

}  // namespace berth::publish
