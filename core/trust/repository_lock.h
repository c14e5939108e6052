#pragma once

#include <filesystem>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::trust {

/// Takes the lock of a folder that one publisher at a time may write to, `.lock` in it. Held as long as the descriptor; a publisher that dies lets it
/// go. `Errc::conflict` while another holds it.
Result<Fd> lock_folder(const std::filesystem::path& folder);

}  // namespace berth::trust
