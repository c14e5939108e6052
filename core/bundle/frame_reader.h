#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::bundle {

/// Decodes the frames of the blob `fd`, one after the other, in bounded memory (a window of at most 8 MiB), and hands on their content in
/// pieces, until `sink` answers false, since it needs no more. A frame that is not one whole zstd frame of just these sizes fails with `Errc::trust`, naming
/// its place; what lies behind the last piece that was needed is not looked at.
Result<void> decode_frames(int fd, const std::vector<Frame>& frames, const std::function<Result<bool>(std::string_view)>& sink);

}  // namespace berth::bundle
