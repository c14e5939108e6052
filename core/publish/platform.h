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

/// Whether it is one of those three.
bool is_platform(std::string_view text);

}  // namespace berth::publish
