#pragma once

#include "core/result.h"
#include "daemon/unpack/job.h"

namespace berth::unpack {

/// Decodes the frame of a patch from and into mapped files, so that it takes little memory of its own, whatever its size. Where it is a script, what that
/// makes is written behind it. `Errc::trust` for whatever is not as it should be.
Result<void> decode_patch(int blob, int scratch, const PatchFrame& patch);

}  // namespace berth::unpack
