#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/bundle/manifest.h"
#include "core/result.h"

namespace berth::publish {

/// Reads a file once, a MiB at a time, and gives what it is as a blob. `piece` sees every MiB (the last one shorter) and may end it with an error.
Result<bundle::BlobRef> hash_file(const std::filesystem::path& file, const std::function<Result<void>(std::string_view)>& piece = {});

/// The same of an open file, from where it stands; `name` stands in messages.
Result<bundle::BlobRef> hash_file(int fd, const std::string& name, const std::function<Result<void>(std::string_view)>& piece = {});

}  // namespace berth::publish
