#pragma once

#include <functional>
#include <string_view>

#include "core/result.h"
#include "daemon/unpack/job.h"

namespace berth::unpack {

/// Decodes the frame of a patch from and into mapped files, so that it takes little memory of its own, whatever its size. Where it is a script, hands on
/// the tar that this makes, in pieces. `Errc::trust` for whatever is not as it should be.
Result<void> decode_patch(int blob, int scratch, const PatchFrame& patch, const std::function<Result<void>(std::string_view)>& sink);

}  // namespace berth::unpack
