#pragma once

#include <chrono>
#include <filesystem>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::trust {

/// Takes the lock of a folder that one publisher at a time may write to, `.lock` in it. Held as long as the descriptor; a publisher that dies lets it
/// go. `Errc::conflict` where another still holds it after `wait`.
Result<Fd> lock_folder(const std::filesystem::path& folder, std::chrono::milliseconds wait = {});

}  // namespace berth::trust
